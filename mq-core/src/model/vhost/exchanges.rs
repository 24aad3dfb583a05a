//! Declaring, deleting and binding exchanges.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::VirtualHost;
use crate::model::change::{BindingId, Change, KeptBinding};
use crate::model::difference::{Difference, flag};
use crate::model::exchange::{Destination, Exchange, ExchangeSettings};
use crate::model::message::{Headers, Name, Value};
use crate::model::queue::QueueId;
use crate::model::refusal::Refusal;

/// A binding to make or to undo.
#[derive(Debug, Clone)]
pub(crate) struct BindRequest<'a> {
    pub(crate) source: &'a str,
    pub(crate) destination: Destination,
    pub(crate) routing_key: &'a str,
    pub(crate) arguments: Headers,
}

impl VirtualHost {
    /// The default exchange can be published to and nothing else (errata 14).
    pub(super) fn refuse_default_exchange(name: &str) -> Result<(), Refusal> {
        if name.is_empty() {
            return Err(Refusal::access_refused(format_args!(
                "operation not permitted on the default exchange"
            )));
        }
        Ok(())
    }

    /// `exchange.declare` with passive set: whether it exists.
    pub(crate) fn check_exchange(&self, name: &str) -> Result<(), Refusal> {
        Self::refuse_default_exchange(name)?;
        self.exchange(name).map(|_| ())
    }

    pub(crate) fn exchange(&self, name: &str) -> Result<&Exchange, Refusal> {
        self.exchanges
            .get(name)
            .ok_or_else(|| self.not_found("exchange", name))
    }

    /// `exchange.declare`: makes it, or checks that it is like that.
    pub(crate) fn declare_exchange(
        &mut self,
        name: &str,
        settings: ExchangeSettings,
    ) -> Result<(), Refusal> {
        Self::refuse_default_exchange(name)?;
        if let Some(exchange) = self.exchanges.get(name) {
            let current = &exchange.settings;
            let attributes = [
                ("type", settings.kind.name(), current.kind.name()),
                ("durable", flag(settings.durable), flag(current.durable)),
                (
                    "auto_delete",
                    flag(settings.auto_delete),
                    flag(current.auto_delete),
                ),
                ("internal", flag(settings.internal), flag(current.internal)),
            ];
            let difference = Difference::of_attributes(&attributes).or_else(|| {
                let [received, current] =
                    [&settings, current].map(|s| s.alternate.as_deref().map(Value::string));
                (received != current).then(|| {
                    let argument = "alternate-exchange";
                    Difference::of_argument(argument, received.as_ref(), current.as_ref())
                })
            });
            return match difference {
                Some(difference) => Err(difference.refusal("exchange", name, &self.shared.name)),
                None => Ok(()),
            };
        }
        if name.starts_with("amq.") {
            return Err(Refusal::access_refused(format_args!(
                "exchange name '{name}' contains reserved prefix 'amq.*'"
            )));
        }
        if self.exchanges.len() >= self.shared.limits.exchanges {
            return Err(Refusal::precondition_failed(format_args!(
                "cannot declare exchange '{name}' in vhost '{}': the limit of {} is reached",
                self.shared.name, self.shared.limits.exchanges
            )));
        }
        let name = Name::from(name);
        if settings.durable && self.shared.changes.are_kept() {
            self.shared.changes.push(Change::Exchange {
                name: name.clone(),
                settings: Box::new(settings.clone()),
            });
        }
        self.exchanges.insert(name, Exchange::new(settings));
        Ok(())
    }

    /// `exchange.delete`; one that does not exist counts as deleted.
    pub(crate) fn delete_exchange(&mut self, name: &str, if_unused: bool) -> Result<(), Refusal> {
        Self::refuse_default_exchange(name)?;
        if name.starts_with("amq.") && self.exchanges.contains_key(name) {
            return Err(Refusal::access_refused(format_args!(
                "deletion of system exchange '{name}' in vhost '{}' not allowed",
                self.shared.name
            )));
        }
        if let Some(exchange) = self.exchanges.get(name) {
            if if_unused && !exchange.is_unused() {
                return Err(Refusal::precondition_failed(format_args!(
                    "exchange '{name}' in vhost '{}' in use",
                    self.shared.name
                )));
            }
            self.remove_exchange(Name::from(name));
        }
        Ok(())
    }

    /// Removes an exchange with its bindings, and the auto-delete exchanges that
    /// thereby lose their last one, and so on.
    fn remove_exchange(&mut self, name: Name) {
        let mut gone = Vec::from([name]);
        while let Some(name) = gone.pop() {
            let Some(exchange) = self.exchanges.remove(&name) else {
                continue;
            };
            self.shared.statistics.steps += 1;
            for id in exchange.kept() {
                self.shared.changes.push(Change::Unbound { id });
            }
            for destination in exchange.destinations() {
                self.shared.statistics.steps += 1;
                let bound_to = match destination {
                    Destination::Queue(id) => self.queues.get_mut(id).map(|q| &mut q.bound_to),
                    Destination::Exchange(other) => {
                        self.exchanges.get_mut(other).map(|x| &mut x.bound_to)
                    }
                };
                if let Some(bound_to) = bound_to {
                    bound_to.remove(&name);
                }
            }
            let destination = Destination::Exchange(name.clone());
            for source in exchange.bound_to {
                if self.unbind_from(&source, &destination) {
                    gone.push(source);
                }
            }
            if exchange.settings.durable {
                self.shared.changes.push(Change::ExchangeDeleted { name });
            }
        }
    }

    /// Removes the bindings of a queue from the exchanges that have them.
    pub(super) fn unbind_queue(&mut self, id: QueueId, sources: impl IntoIterator<Item = Name>) {
        for source in sources {
            if self.unbind_from(&source, &Destination::Queue(id)) {
                self.remove_exchange(source);
            }
        }
    }

    /// Removes the bindings of one exchange to a destination that is gone. Returns
    /// whether the exchange goes with them.
    fn unbind_from(&mut self, source: &Name, destination: &Destination) -> bool {
        self.shared.statistics.steps += 1;
        let Some(exchange) = self.exchanges.get_mut(source) else {
            return false;
        };
        exchange.unbind_all(destination);
        for id in exchange.take_gone() {
            self.shared.changes.push(Change::Unbound { id });
        }
        exchange.is_left()
    }

    /// Whether a binding between these outlives the broker.
    pub(super) fn keeps_binding(&self, source: &str, destination: &Destination) -> bool {
        let exchange = |name: &str| {
            let exchange = self.exchanges.get(name);
            exchange.is_some_and(|exchange| exchange.settings.durable)
        };
        self.shared.changes.are_kept()
            && exchange(source)
            && match destination {
                Destination::Queue(id) => self.queues.get(id).is_some_and(|q| q.settings.durable),
                Destination::Exchange(name) => exchange(name),
            }
    }

    /// `queue.bind` and `exchange.bind`.
    pub(crate) fn bind(&mut self, request: BindRequest<'_>) -> Result<(), Refusal> {
        self.check_binding(&request)?;
        let limit = self.shared.limits.bindings;
        let kept = self.keeps_binding(request.source, &request.destination);
        let id = kept.then_some(BindingId(self.shared.last_id + 1));
        let exchange = self.exchange(request.source)?;
        if exchange.binding_count() >= limit {
            return Err(Refusal::precondition_failed(format_args!(
                "cannot bind to exchange '{}': the limit of {limit} bindings is reached",
                request.source
            )));
        }
        let binding = id.map(|id| KeptBinding {
            id,
            source: Name::from(request.source),
            destination: request.destination.clone(),
            routing_key: Name::from(request.routing_key),
            arguments: request.arguments.clone(),
        });
        if let (true, Some(binding)) = (self.add_binding(request, id)?, binding) {
            self.shared.last_id = binding.id.0;
            self.shared.changes.push(Change::Bound(Box::new(binding)));
        }
        Ok(())
    }

    /// Adds a binding between things that are there. Returns whether it is new.
    pub(super) fn add_binding(
        &mut self,
        request: BindRequest<'_>,
        id: Option<BindingId>,
    ) -> Result<bool, Refusal> {
        let not_found = self.not_found("exchange", request.source);
        let exchange = self.exchanges.get_mut(request.source).ok_or(not_found)?;
        let new = exchange.bind(
            &request.destination,
            request.routing_key,
            request.arguments,
            id,
        )?;
        let bound_to = match &request.destination {
            Destination::Queue(id) => self.queues.get_mut(id).map(|q| &mut q.bound_to),
            Destination::Exchange(name) => self.exchanges.get_mut(name).map(|x| &mut x.bound_to),
        };
        if let Some(bound_to) = bound_to {
            bound_to.insert(Name::from(request.source));
        }
        Ok(new)
    }

    /// `queue.unbind` and `exchange.unbind`. A binding or an exchange that is not there
    /// counts as unbound.
    pub(crate) fn unbind(&mut self, request: &BindRequest<'_>) -> Result<(), Refusal> {
        Self::refuse_default_exchange(request.source)?;
        if let Destination::Exchange(name) = &request.destination {
            Self::refuse_default_exchange(name)?;
        }
        let Some(exchange) = self.exchanges.get_mut(request.source) else {
            return Ok(());
        };
        let gone = exchange.unbind(
            &request.destination,
            request.routing_key,
            &request.arguments,
        );
        for id in exchange.take_gone() {
            self.shared.changes.push(Change::Unbound { id });
        }
        if gone && exchange.is_left() {
            self.remove_exchange(Name::from(request.source));
        }
        Ok(())
    }

    fn check_binding(&self, request: &BindRequest<'_>) -> Result<(), Refusal> {
        Self::refuse_default_exchange(request.source)?;
        if let Destination::Exchange(name) = &request.destination {
            Self::refuse_default_exchange(name)?;
            self.exchange(name)?;
        }
        self.exchange(request.source).map(|_| ())
    }
}
