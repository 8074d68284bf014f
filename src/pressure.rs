//! How near the machine is to its limits. Those who come last are refused first: new accounts, then guests and new groups;
//! people who are here already go on for as long as anything works.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::error::{Error, Result};

/// How often it is measured.
const EVERY: Duration = Duration::from_secs(1);

/// For each measure: where it gets tight, and where scarce. In bytes.
pub const FREE_DISK: [u64; 2] = [256 << 20, 64 << 20];
const FREE_MEMORY_PERCENT: [u64; 2] = [8, 3];
const QUEUE_PERCENT: [u64; 2] = [25, 60];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Calm,
    Tight,
    Scarce,
}

#[derive(Default)]
pub struct Pressure(AtomicU8);

impl Pressure {
    /// Whether a new account may be made.
    pub fn admit_newcomer(&self) -> Result<()> {
        self.admit(Level::Calm, "The server is short of room and makes no new accounts now. Try again later.")
    }

    /// Whether a file may be stored.
    pub fn admit_file(&self) -> Result<()> {
        self.admit(Level::Calm, "The server is short of room and takes no files now. Try again later.")
    }

    /// Whether a guest may come in, or a new group be made.
    pub fn admit_guest(&self) -> Result<()> {
        self.admit(Level::Tight, "The server is short of room and lets nobody new in now. Try again later.")
    }

    fn admit(&self, most: Level, otherwise: &'static str) -> Result<()> {
        match self.0.load(Ordering::Relaxed) <= most as u8 {
            true => Ok(()),
            false => Err(Error::Unavailable(otherwise.into())),
        }
    }

    /// Measures for as long as the server runs. `folders` hold what is stored, where those are files; `queue` tells how full
    /// the writer's queue is, in percent.
    pub async fn watch(&self, folders: Vec<PathBuf>, queue: impl Fn() -> u64) {
        loop {
            let folders = folders.clone();
            let free = tokio::task::spawn_blocking(move || {
                (folders.iter().filter_map(|folder| free_disk(folder)).min(), free_memory_percent())
            });
            let (disk, memory) = free.await.unwrap_or((None, None));
            let level = level(disk, memory, queue());
            let before = self.0.swap(level as u8, Ordering::Relaxed);
            if before != level as u8 {
                tracing::warn!(?level, disk_bytes = disk, memory_percent = memory, "the room that is left has changed");
            }
            metrics::gauge!("secure_chat_pressure").set(f64::from(level as u8));
            tokio::time::sleep(EVERY).await;
        }
    }
}

fn level(disk: Option<u64>, memory: Option<u64>, queue: u64) -> Level {
    let below = |value: Option<u64>, limits: [u64; 2]| match value {
        Some(value) if value < limits[1] => Level::Scarce,
        Some(value) if value < limits[0] => Level::Tight,
        _ => Level::Calm,
    };
    let waiting = match queue {
        queue if queue > QUEUE_PERCENT[1] => Level::Scarce,
        queue if queue > QUEUE_PERCENT[0] => Level::Tight,
        _ => Level::Calm,
    };
    below(disk, FREE_DISK).max(below(memory, FREE_MEMORY_PERCENT)).max(waiting)
}

/// Bytes that this user may still write on the disk of a folder.
pub fn free_disk(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Of the machine's memory, or of what its container may use where that is less.
fn free_memory_percent() -> Option<u64> {
    let number = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let in_container = || {
        let most = number("/sys/fs/cgroup/memory.max")?;
        let used = number("/sys/fs/cgroup/memory.current")?;
        Some(most.saturating_sub(used) * 100 / most.max(1))
    };
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kilobytes = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':').split_whitespace().next()?.parse::<u64>().ok()
    };
    let machine = kilobytes("MemAvailable")? * 100 / kilobytes("MemTotal")?.max(1);
    Some(in_container().map_or(machine, |container| machine.min(container)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearest_to_its_limit_decides() {
        assert_eq!(level(Some(1 << 40), Some(50), 0), Level::Calm);
        assert_eq!(level(Some(100 << 20), Some(50), 0), Level::Tight);
        assert_eq!(level(Some(1 << 40), Some(50), 90), Level::Scarce);
        assert_eq!(level(None, Some(2), 0), Level::Scarce);
    }

    #[test]
    fn new_accounts_are_refused_first() {
        let pressure = Pressure::default();
        for (level, newcomer, guest) in
            [(Level::Calm, true, true), (Level::Tight, false, true), (Level::Scarce, false, false)]
        {
            pressure.0.store(level as u8, Ordering::Relaxed);
            assert_eq!(
                (pressure.admit_newcomer().is_ok(), pressure.admit_guest().is_ok()),
                (newcomer, guest),
                "{level:?}"
            );
        }
    }

    #[test]
    fn this_machine_tells_its_room() {
        assert!(free_disk(Path::new(".")).is_some());
        assert!(free_memory_percent().is_some_and(|percent| percent <= 100));
    }
}
