//! The places of a listener: how many connections it has at once, and how many of them one other end may hold.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections at once of one listener; more wait in the kernel's queue. Each costs some 30 KB idle: 128 MB.
const CONNECTIONS_MAX: usize = 4_096;
/// How many of them have wide windows (`listen`). A gateway has a handful of connections; a fleet of more sends small batches.
const WIDE_MAX: usize = 64;

/// One address may hold a quarter of the places whatever happens, and more only while more than a quarter is free: a fleet behind one
/// address translation, a proxy or a gateway may take three quarters, and yet nobody alone takes the last.
///
/// KNOWN GAP: four addresses together can. A listener that strangers reach wants client certificates, without which no connection gets past
/// its handshake, or a firewall.
const FAIR_SHARE: usize = 4;

/// The places, free and taken.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    wide: Arc<Semaphore>,
    quarter: usize,
    /// Connections by address.
    held: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Default for Places {
    fn default() -> Self {
        Places::of(CONNECTIONS_MAX, WIDE_MAX)
    }
}

impl Places {
    fn of(places: usize, wide: usize) -> Self {
        let (free, wide) = (Arc::new(Semaphore::new(places)), Arc::new(Semaphore::new(wide)));
        Places { free, wide, quarter: places / FAIR_SHARE, held: Arc::default() }
    }

    /// A free place, once there is one.
    pub(super) async fn free(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    /// Gives the place to a connection from this address, unless the address has too many.
    pub(super) fn take(&self, free: OwnedSemaphorePermit, address: IpAddr) -> Option<Place> {
        let neighbourhood = neighbourhood(address);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(neighbourhood).or_default();
        if *count >= self.quarter && self.free.available_permits() < self.quarter {
            return None;
        }
        *count += 1;
        drop(held);
        let wide = Arc::clone(&self.wide).try_acquire_owned().ok();
        Some(Place { _free: free, wide, neighbourhood, held: Arc::clone(&self.held) })
    }
}

/// Whose places are counted together: an IPv4 address, or the 64 bits of an IPv6 address that a network has to itself.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

/// A connection's place. Dropping it frees it.
#[derive(Debug)]
pub(super) struct Place {
    _free: OwnedSemaphorePermit,
    wide: Option<OwnedSemaphorePermit>,
    neighbourhood: IpAddr,
    held: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Place {
    /// Whether its windows are wide.
    pub(super) fn is_wide(&self) -> bool {
        self.wide.is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.neighbourhood) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.neighbourhood);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn taken(places: &Places, address: &str, count: usize) -> Vec<Place> {
        let mut taken = Vec::new();
        for _ in 0..count {
            taken.extend(places.take(places.free().await.unwrap(), address.parse().unwrap()));
        }
        taken
    }

    /// Scenario: one address wants all places. Guarantee: it gets three quarters, others the rest, and what is freed can be had again.
    #[tokio::test]
    async fn one_address_does_not_take_the_last_quarter() {
        let places = Places::of(16, 2);
        let mut greedy = taken(&places, "192.0.2.1", 16).await;
        assert_eq!(greedy.len(), 12);
        // The same neighbour, as a socket for both families sees it.
        assert!(taken(&places, "::ffff:192.0.2.1", 1).await.is_empty());
        let others = taken(&places, "192.0.2.2", 4).await;
        assert_eq!((others.len(), places.free.available_permits()), (4, 0));
        greedy.truncate(4);
        assert_eq!(taken(&places, "192.0.2.1", 1).await.len(), 1);
        drop((greedy, others));
        assert_eq!((places.free.available_permits(), places.held.lock().unwrap().len()), (16, 0));
    }

    /// An IPv6 network counts as one; a quarter of the places is everybody's.
    #[tokio::test]
    async fn a_quarter_is_everybodys() {
        let places = Places::of(16, 2);
        let first = taken(&places, "2001:db8::1", 12).await;
        assert_eq!(first.len(), 12);
        let second = taken(&places, "2001:db8:0:1::1", 16 - 12).await;
        assert_eq!(second.len(), 4);
        drop(first);
        let many: Vec<Place> =
            futures::future::join_all((2..18).map(|i| taken(&places, Box::leak(format!("2001:db8::{i}").into_boxed_str()), 1)))
                .await
                .into_iter()
                .flatten()
                .collect();
        assert_eq!(many.len(), 8);
    }

    #[tokio::test]
    async fn the_first_are_wide() {
        let places = Places::of(16, 2);
        let mut first = taken(&places, "192.0.2.1", 3).await;
        assert_eq!(first.iter().map(Place::is_wide).collect::<Vec<_>>(), [true, true, false]);
        first.remove(0);
        assert!(taken(&places, "192.0.2.1", 1).await[0].is_wide());
    }
}
