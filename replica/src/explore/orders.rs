//! How many orders there are of steps of which some must come before others.

use std::collections::HashMap;

use super::path::Set;

/// So many different beginnings are looked at, to count the orders of one run.
const MOST: usize = 100_000;

/// A number of orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Orders {
    /// How many there are.
    pub number: u128,
    /// Whether there are more than that.
    pub more: bool,
}

impl Orders {
    /// The number of orders of steps, given for each which of the earlier ones must come before it.
    pub(super) fn of<'a>(before: impl Iterator<Item = &'a Set>) -> Self {
        let uncounted = Orders {
            number: 1,
            more: true,
        };
        let Some(before) = before.map(Set::as_bits).collect::<Option<Vec<u128>>>() else {
            return uncounted;
        };
        // How many ways there are to each set of steps that can have been taken at first.
        let mut ways: HashMap<u128, u128> = HashMap::from([(0, 1)]);
        let mut seen = 0;
        for _ in 0..before.len() {
            let mut next: HashMap<u128, u128> = HashMap::with_capacity(2 * ways.len());
            for (taken, number) in &ways {
                for (place, needed) in before.iter().enumerate() {
                    let step = 1 << place;
                    if taken & step == 0 && needed & !taken == 0 {
                        let sum = next.entry(taken | step).or_insert(0);
                        *sum = sum.saturating_add(*number);
                    }
                }
            }
            seen += next.len();
            if seen > MOST {
                return uncounted;
            }
            ways = next;
        }
        let number = ways.into_values().next().unwrap_or(1);
        Orders {
            number,
            more: number == u128::MAX,
        }
    }

    pub(super) fn times(self, factor: u128) -> Self {
        let number = self.number.saturating_mul(factor);
        Orders {
            number,
            more: self.more || number == u128::MAX,
        }
    }

    pub(super) fn plus(self, other: Orders) -> Self {
        let number = self.number.saturating_add(other.number);
        Orders {
            number,
            more: self.more || other.more || number == u128::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders(before: &[&[usize]]) -> u128 {
        let set = |places: &&[usize]| {
            let mut set = Set::default();
            places.iter().for_each(|place| set.insert(*place));
            set
        };
        let sets: Vec<Set> = before.iter().map(set).collect();
        Orders::of(sets.iter()).number
    }

    #[test]
    fn orders_are_those_that_keep_what_must_come_before() {
        assert_eq!(orders(&[]), 1);
        assert_eq!(orders(&[&[], &[0], &[0, 1]]), 1, "a chain");
        assert_eq!(orders(&[&[], &[], &[], &[]]), 24, "four at will");
        assert_eq!(orders(&[&[], &[0], &[], &[2]]), 6, "two chains of two");
    }

    #[test]
    fn what_can_t_be_counted_is_at_least_one_order() {
        let free: Vec<Set> = (0..40).map(|_| Set::default()).collect();
        let orders = Orders::of(free.iter());
        assert!(orders.more && orders.number == 1);
    }
}
