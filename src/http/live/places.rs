//! How many live connections there are: of the process, of an address, of a caller.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use crate::error::Error;
use crate::http::rates::network_of;
use crate::services::access::Caller;

/// How long one who finds no place is told to wait.
const AGAIN: Duration = Duration::from_secs(10);

/// Who has how many places.
pub(super) struct Places {
    most: usize,
    per_caller: usize,
    per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    callers: HashMap<Uuid, usize>,
    addresses: HashMap<IpAddr, usize>,
}

/// A place, until it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    address: Option<IpAddr>,
    caller: Option<Uuid>,
}

impl Places {
    /// Places that are all free. A limit of 0 is none.
    pub(super) fn new(most: usize, per_caller: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self { most, per_caller, per_address, taken: Mutex::default() })
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).all
    }

    /// Takes a place for a connection from an address.
    ///
    /// # Errors
    /// [`Error::RateLimited`] where there is none.
    pub(super) fn take(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Place, Error> {
        let address = address.map(network_of);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.most {
            return Err(Error::come_again(AGAIN));
        }
        if let Some(address) = address {
            one_more(&mut taken.addresses, address, self.per_address)?;
        }
        taken.all = taken.all.saturating_add(1);
        Ok(Place { places: Arc::clone(self), address, caller: None })
    }
}

impl Place {
    /// Counts it as the caller's, once.
    ///
    /// # Errors
    /// [`Error::RateLimited`] where they have too many.
    pub(super) fn is_of(&mut self, caller: Caller) -> Result<(), Error> {
        let who = match caller {
            Caller::User { user, .. } => user.uuid(),
            Caller::Key { key, .. } => key.uuid(),
            // Products ask for all of their customers.
            Caller::Anonymous | Caller::Service { .. } | Caller::Staff { .. } => return Ok(()),
        };
        self.is_of_one(who)
    }

    /// The same, of one by their id.
    fn is_of_one(&mut self, who: Uuid) -> Result<(), Error> {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if self.caller.is_none() {
            one_more(&mut taken.callers, who, self.places.per_caller)?;
            self.caller = Some(who);
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        if let Some(address) = self.address {
            one_less(&mut taken.addresses, &address);
        }
        if let Some(caller) = self.caller {
            one_less(&mut taken.callers, &caller);
        }
    }
}

fn one_more<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: K, most: usize) -> Result<(), Error> {
    let count = counts.entry(key).or_default();
    if most > 0 && *count >= most {
        return Err(Error::come_again(AGAIN));
    }
    *count = count.saturating_add(1);
    Ok(())
}

fn one_less<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_holds_by_itself_and_a_place_that_is_left_is_free() {
        let places = Places::new(3, 1, 2);
        let here = Some(IpAddr::from([192, 0, 2, 1]));
        let there = Some(IpAddr::from([192, 0, 2, 2]));
        let mut first = places.take(here).unwrap();
        let mut second = places.take(here).unwrap();
        assert!(places.take(here).is_err(), "two from one address");
        let third = places.take(there).unwrap();
        assert!(places.take(None).is_err(), "three of all");
        first.is_of_one(Uuid::from_u128(1)).unwrap();
        first.is_of_one(Uuid::from_u128(1)).unwrap();
        assert!(second.is_of_one(Uuid::from_u128(1)).is_err(), "one of a person");
        second.is_of_one(Uuid::from_u128(2)).unwrap();
        drop((first, second, third));
        let taken = places.taken.lock().unwrap();
        assert_eq!((taken.all, taken.callers.len(), taken.addresses.len()), (0, 0, 0));
    }
}
