//! What the table charges for: read and write units, as each answer names them. Counted beside every call of
//! the client, so no call can forget it; costs no call of its own.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use aws_sdk_dynamodb::{
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::{
            BeforeSerializationInterceptorContextMut, BeforeTransmitInterceptorContextRef,
            FinalizerInterceptorContextRef,
        },
    },
    error::BoxError,
    operation::{
        batch_get_item::{BatchGetItemInput, BatchGetItemOutput},
        delete_item::{DeleteItemInput, DeleteItemOutput},
        get_item::{GetItemInput, GetItemOutput},
        put_item::{PutItemInput, PutItemOutput},
        query::{QueryInput, QueryOutput},
        transact_write_items::{TransactWriteItemsInput, TransactWriteItemsOutput},
        update_item::{UpdateItemInput, UpdateItemOutput},
    },
    types::{ConsumedCapacity, ReturnConsumedCapacity},
};
use aws_smithy_types::config_bag::{Storable, StoreReplace};

/// Units in halves: an eventually consistent read of 4 KB is half a unit, and nothing is finer
/// (docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Units {
    pub read_halves: u64,
    pub write_halves: u64,
}

/// What this process has used of the table and nobody has taken yet.
#[derive(Debug, Default)]
pub(super) struct Used {
    read_halves: AtomicU64,
    write_halves: AtomicU64,
}

impl Used {
    fn add(&self, what: What, halves: u64) {
        let sum = match what {
            What::Read => &self.read_halves,
            What::Write => &self.write_halves,
        };
        sum.fetch_add(halves, Ordering::Relaxed);
    }

    /// Everything since the last time.
    pub(super) fn take(&self) -> Units {
        Units {
            read_halves: self.read_halves.swap(0, Ordering::Relaxed),
            write_halves: self.write_halves.swap(0, Ordering::Relaxed),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Read,
    Write,
}

/// What a call costs that is not answered, or whose answer does not say: of items that fit one unit and stand
/// in no index. A write whose guard did not hold is charged, too, and its answer never says.
#[derive(Debug, Clone, Copy)]
struct Guess {
    what: What,
    halves: u64,
}

impl Storable for Guess {
    type Storer = StoreReplace<Self>;
}

/// A try of a call. It counts as its guess when it is dropped, whoever does that, unless an answer has said
/// what it was.
#[derive(Debug)]
struct Try {
    used: Arc<Used>,
    what: What,
    left: AtomicU64,
}

impl Storable for Try {
    type Storer = StoreReplace<Self>;
}

impl Try {
    fn told(&self, halves: u64) {
        self.left.store(0, Ordering::Relaxed);
        self.used.add(self.what, halves);
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        self.used.add(self.what, self.left.load(Ordering::Relaxed));
    }
}

/// Has every call of a client counted, and every try of it: the service charges for what it did, whether its
/// answer arrived or not.
#[derive(Debug)]
pub(super) struct Counting(pub(super) Arc<Used>);

impl Intercept for Counting {
    fn name(&self) -> &'static str {
        "units of the table"
    }

    /// Asks for the units, and guesses them.
    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let wanted = Some(ReturnConsumedCapacity::Total);
        let input = context.input_mut();
        let read = |units| (What::Read, units);
        let write = |units| (What::Write, units);
        // A strongly consistent read of an item is a unit, a write one, and in a transaction two.
        let (what, halves) = if let Some(call) = input.downcast_mut::<GetItemInput>() {
            call.return_consumed_capacity = wanted;
            read(2)
        } else if let Some(call) = input.downcast_mut::<QueryInput>() {
            call.return_consumed_capacity = wanted;
            read(1 + u64::from(call.consistent_read == Some(true)))
        } else if let Some(call) = input.downcast_mut::<BatchGetItemInput>() {
            call.return_consumed_capacity = wanted;
            let tables = call.request_items.iter().flat_map(|it| it.values());
            read(tables.map(|it| 2 * count(it.keys.len())).sum())
        } else if let Some(call) = input.downcast_mut::<UpdateItemInput>() {
            call.return_consumed_capacity = wanted;
            write(2)
        } else if let Some(call) = input.downcast_mut::<TransactWriteItemsInput>() {
            call.return_consumed_capacity = wanted;
            write(4 * count(call.transact_items().len()))
        } else if let Some(call) = input.downcast_mut::<PutItemInput>() {
            call.return_consumed_capacity = wanted;
            write(2)
        } else if let Some(call) = input.downcast_mut::<DeleteItemInput>() {
            call.return_consumed_capacity = wanted;
            write(2)
        } else {
            return Ok(());
        };
        bag.interceptor_state().store_put(Guess { what, halves });
        Ok(())
    }

    fn read_before_attempt(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(Guess { what, halves }) = bag.load::<Guess>().copied() {
            // The one of the try before is dropped here.
            bag.interceptor_state().store_put(Try {
                used: Arc::clone(&self.0),
                what,
                left: AtomicU64::new(halves),
            });
        }
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (Some(Ok(output)), Some(it)) = (context.output_or_error(), bag.load::<Try>()) else {
            return Ok(());
        };
        let told = if let Some(answer) = output.downcast_ref::<GetItemOutput>() {
            one(answer.consumed_capacity())
        } else if let Some(answer) = output.downcast_ref::<QueryOutput>() {
            one(answer.consumed_capacity())
        } else if let Some(answer) = output.downcast_ref::<BatchGetItemOutput>() {
            all(answer.consumed_capacity())
        } else if let Some(answer) = output.downcast_ref::<UpdateItemOutput>() {
            one(answer.consumed_capacity())
        } else if let Some(answer) = output.downcast_ref::<TransactWriteItemsOutput>() {
            all(answer.consumed_capacity())
        } else if let Some(answer) = output.downcast_ref::<PutItemOutput>() {
            one(answer.consumed_capacity())
        } else if let Some(answer) = output.downcast_ref::<DeleteItemOutput>() {
            one(answer.consumed_capacity())
        } else {
            None
        };
        if let Some(halves) = told {
            it.told(halves);
        }
        Ok(())
    }
}

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

fn one(told: Option<&ConsumedCapacity>) -> Option<u64> {
    halves(told?.capacity_units?)
}

fn all(told: &[ConsumedCapacity]) -> Option<u64> {
    if told.is_empty() {
        return None;
    }
    told.iter().map(|it| one(Some(it))).sum()
}

/// Units as the service writes them. Nothing that it does in one call comes near the bound.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked"
)]
fn halves(units: f64) -> Option<u64> {
    (0.0..=1e9)
        .contains(&units)
        .then_some((units * 2.0).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_try(used: &Arc<Used>) -> Try {
        Try {
            used: Arc::clone(used),
            what: What::Write,
            left: AtomicU64::new(4),
        }
    }

    #[test]
    fn a_try_counts_once_by_its_answer_or_as_it_was_guessed() {
        let used = Arc::new(Used::default());
        let answered = a_try(&used);
        answered.told(7);
        drop(answered);
        drop(a_try(&used));
        let units = Units {
            read_halves: 0,
            write_halves: 11,
        };
        assert_eq!(used.take(), units);
        assert_eq!(used.take(), Units::default(), "taken");
    }

    #[test]
    fn what_an_answer_says_is_believed_to_the_half() {
        let capacity = |units| ConsumedCapacity::builder().capacity_units(units).build();
        assert_eq!(one(Some(&capacity(0.5))), Some(1));
        assert_eq!(all(&[capacity(2.0), capacity(1.5)]), Some(7));
        assert_eq!(all(&[]), None);
        assert_eq!(one(Some(&ConsumedCapacity::builder().build())), None);
        assert_eq!(one(Some(&capacity(-1.0))), None);
        assert_eq!(one(Some(&capacity(f64::NAN))), None);
    }
}
