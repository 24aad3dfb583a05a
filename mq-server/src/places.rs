//! How many connections there are: in all, at each listener, and from each address.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The counts. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    all: u32,
    listeners: BTreeMap<u32, u32>,
    addresses: BTreeMap<IpAddr, u32>,
}

/// Where a connection comes in, and how many may.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    /// The number of the listener.
    pub(crate) listener: u32,
    /// None for a connection that has no address, or one that is not known yet.
    pub(crate) address: Option<IpAddr>,
    pub(crate) max: u32,
    pub(crate) max_of_listener: u32,
    pub(crate) max_of_address: u32,
}

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    #[error("the limit of connections is reached")]
    Server,
    #[error("the limit of connections of this listener is reached")]
    Listener,
    #[error("the limit of connections from one address is reached")]
    Address,
}

/// One connection among those that are counted, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    listener: u32,
    address: Option<IpAddr>,
}

impl Places {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection that no listener has accepted.
    pub(crate) fn take_any(&self) -> Result<Place, Full> {
        self.take(Claim {
            listener: u32::MAX,
            address: None,
            max: u32::MAX,
            max_of_listener: u32::MAX,
            max_of_address: u32::MAX,
        })
    }

    /// Counts one more, unless there are too many.
    pub(crate) fn take(&self, claim: Claim) -> Result<Place, Full> {
        let mut counts = self.counts();
        let here = counts
            .listeners
            .get(&claim.listener)
            .copied()
            .unwrap_or_default();
        if counts.all >= claim.max {
            return Err(Full::Server);
        }
        if here >= claim.max_of_listener {
            return Err(Full::Listener);
        }
        if let Some(address) = claim.address {
            counts.add_address(address, claim.max_of_address)?;
        }
        counts.all += 1;
        counts.listeners.insert(claim.listener, here + 1);
        Ok(Place {
            places: self.clone(),
            listener: claim.listener,
            address: claim.address,
        })
    }
}

impl Counts {
    fn add_address(&mut self, address: IpAddr, max: u32) -> Result<(), Full> {
        let count = self.addresses.get(&address).copied().unwrap_or_default();
        if count >= max {
            return Err(Full::Address);
        }
        self.addresses.insert(address, count + 1);
        Ok(())
    }

    fn remove_address(&mut self, address: IpAddr) {
        if let Some(count) = self.addresses.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&address);
            }
        }
    }
}

impl Place {
    /// Counts the connection under the address from which a proxy says that it comes.
    pub(crate) fn set_address(&mut self, address: IpAddr, max: u32) -> Result<(), Full> {
        let mut counts = self.places.counts();
        if let Some(old) = self.address.take() {
            counts.remove_address(old);
        }
        counts.add_address(address, max)?;
        self.address = Some(address);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.places.counts();
        counts.all -= 1;
        if let Some(count) = counts.listeners.get_mut(&self.listener) {
            *count -= 1;
        }
        if let Some(address) = self.address {
            counts.remove_address(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const CLAIM: Claim = Claim {
        listener: 0,
        address: None,
        max: 5,
        max_of_listener: 4,
        max_of_address: 2,
    };

    fn from(last: u8) -> Option<IpAddr> {
        Some(Ipv4Addr::new(10, 0, 0, last).into())
    }

    #[test]
    fn each_limit_holds_and_places_come_back() {
        let places = Places::default();
        let take = |listener, address| {
            places.take(Claim {
                listener,
                address,
                ..CLAIM
            })
        };
        let first = take(0, from(1)).unwrap();
        let _second = take(0, from(1)).unwrap();
        assert_eq!(take(0, from(1)).unwrap_err(), Full::Address);
        let third = take(0, None).unwrap();
        let _fourth = take(0, from(2)).unwrap();
        assert_eq!(take(0, None).unwrap_err(), Full::Listener);
        let _fifth = take(1, from(2)).unwrap();
        assert_eq!(take(1, None).unwrap_err(), Full::Server);
        drop(first);
        drop(take(0, from(1)).unwrap());
        drop(third);
        let mut proxied = take(0, None).unwrap();
        assert_eq!(
            proxied.set_address(from(2).unwrap(), 2),
            Err(Full::Address),
            "as one that comes from there itself"
        );
        proxied.set_address(from(3).unwrap(), 2).unwrap();
        drop(proxied);
        assert!(!places.counts().addresses.contains_key(&from(3).unwrap()));
    }
}
