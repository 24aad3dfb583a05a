//! What a process of this machine takes, by Linux' /proc: the processor time and the memory
//! of a broker are less at the mercy of what else runs than its speed is.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// A process.
#[derive(Clone, Debug)]
pub struct Process(PathBuf);

/// What it has taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Processor time since it was started, in user and in kernel mode.
    pub cpu: Duration,
    /// Resident memory in KiB.
    pub resident: u64,
}

/// `USER_HZ`: what the kernel counts processor time in for everyone, on every machine.
const TICKS_A_SECOND: u64 = 100;

impl Process {
    /// The generator.
    pub fn own() -> Self {
        Self("/proc/self".into())
    }

    /// Whoever listens on a port of this machine, if that can be seen.
    pub fn listening_on(port: u16) -> Option<Self> {
        let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
            .iter()
            .filter_map(|table| fs::read_to_string(table).ok())
            .find_map(|table| listener(&table, port).map(str::to_owned))?;
        let socket = format!("socket:[{inode}]");
        fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
            let open = fs::read_dir(process.path().join("fd")).ok()?;
            open.flatten()
                .filter_map(|file| fs::read_link(file.path()).ok())
                .any(|target| target.as_os_str() == socket.as_str())
                .then(|| Self(process.path()))
        })
    }

    /// What it has taken by now.
    pub fn usage(&self) -> Option<Usage> {
        let stat = fs::read_to_string(self.0.join("stat")).ok()?;
        let status = fs::read_to_string(self.0.join("status")).ok()?;
        Some(Usage {
            cpu: cpu(&stat)?,
            resident: status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:"))?
                .split_whitespace()
                .next()?
                .parse()
                .ok()?,
        })
    }
}

/// The inode of the socket that listens on `port`, in a table of proc_net(5).
fn listener(table: &str, port: u16) -> Option<&str> {
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let local = fields.get(1)?.rsplit(':').next()?;
        let listens = *fields.get(3)? == "0A";
        (listens && u16::from_str_radix(local, 16) == Ok(port)).then_some(*fields.get(9)?)
    })
}

/// utime and stime, fields 14 and 15 of proc_pid_stat(5); the name before them may hold
/// anything.
fn cpu(stat: &str) -> Option<Duration> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis(
        (ticks()? + ticks()?) * (1000 / TICKS_A_SECOND),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_the_kernel_are_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:075B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 100 0 0 10 0\n\
            \x20  1: 0100007F:075C 0100007F:075B 01 00000000:00000000 00:00000000 00000000     0        0 4243 1 0 100 0 0 10 0\n";
        assert_eq!(listener(table, 1883), Some("4242"));
        assert_eq!(listener(table, 1884), None);
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 5 0 0";
        assert_eq!(cpu(stat), Some(Duration::from_secs(3)));
    }
}
