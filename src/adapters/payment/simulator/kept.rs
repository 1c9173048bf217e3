//! What is remembered, and no more of it than there is room for: a simulator may run for weeks.

use std::collections::{HashMap, VecDeque};

/// Puts one at the end of a list, and drops the oldest where that makes one too many.
pub(super) fn push_newest<T>(list: &mut VecDeque<T>, most: usize, one: T) {
    if list.len() >= most {
        list.pop_front();
    }
    list.push_back(one);
}

/// Things by their names: the newest so many of them.
#[derive(Debug)]
pub(super) struct Newest<V> {
    /// How many.
    most: usize,
    /// Their names, the oldest first.
    order: VecDeque<String>,
    /// They.
    values: HashMap<String, V>,
}

impl<V> Newest<V> {
    /// None yet, and never more than `most`.
    pub(super) fn new(most: usize) -> Self {
        Self { most, order: VecDeque::new(), values: HashMap::new() }
    }

    /// Remembers one, in place of what had its name.
    pub(super) fn insert(&mut self, name: String, value: V) {
        if self.values.insert(name.clone(), value).is_some() {
            return;
        }
        self.order.push_back(name);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.values.remove(&oldest);
        }
    }

    /// The one of that name.
    pub(super) fn get(&self, name: &str) -> Option<&V> {
        self.values.get(name)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        self.values.get_mut(name)
    }

    /// All of them, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &V> {
        self.order.iter().filter_map(|name| self.values.get(name))
    }

    /// Forgets them all.
    pub(super) fn clear(&mut self) {
        self.order.clear();
        self.values.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_and_the_oldest_go() {
        let (mut named, mut list) = (Newest::new(2), VecDeque::new());
        for at in 1..=3 {
            named.insert(format!("n{at}"), at);
            push_newest(&mut list, 2, at);
        }
        named.insert("n2".to_owned(), 20);
        assert_eq!((named.get("n1"), named.iter().copied().collect::<Vec<_>>()), (None, vec![20, 3]));
        assert_eq!(list, [2, 3]);
        if let Some(value) = named.get_mut("n3") {
            *value = 30;
        }
        assert_eq!(named.get("n3"), Some(&30));
        named.clear();
        assert_eq!(named.iter().count(), 0);
    }
}
