//! The attributes that may be set on a queue, with their limits and defaults.

use std::ops::RangeInclusive;

/// The most that one message, or one batch, may weigh.
pub(crate) const MAX_BYTES: usize = 1_048_576;

pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) range: RangeInclusive<i64>,
    pub(crate) default: i64,
}

pub(crate) static DELAY: Setting = Setting {
    name: "DelaySeconds",
    range: 0..=900,
    default: 0,
};
pub(crate) static RETENTION: Setting = Setting {
    name: "MessageRetentionPeriod",
    range: 60..=1_209_600,
    default: 345_600,
};
pub(crate) static SIZE: Setting = Setting {
    name: "MaximumMessageSize",
    range: 1024..=1_048_576,
    default: 1_048_576,
};
pub(crate) static VISIBILITY: Setting = Setting {
    name: "VisibilityTimeout",
    range: 0..=43_200,
    default: 30,
};
pub(crate) static WAIT: Setting = Setting {
    name: "ReceiveMessageWaitTimeSeconds",
    range: 0..=20,
    default: 0,
};
static KEY_REUSE: Setting = Setting {
    name: "KmsDataKeyReusePeriodSeconds",
    range: 60..=86_400,
    default: 300,
};

/// What every queue reports, set or not.
pub(crate) static REPORTED: [&Setting; 5] = [&DELAY, &RETENTION, &SIZE, &VISIBILITY, &WAIT];

/// The attributes whose value is not a number; only the redrive policy's is looked into.
const UNCHECKED: [&str; 9] = [
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsMasterKeyId",
    "Policy",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
];

/// What may be given as the value of an attribute.
pub(crate) enum Permitted {
    Anything,
    Number(&'static RangeInclusive<i64>),
    Nothing,
}

pub(crate) fn permitted(name: &str) -> Permitted {
    let numeric = REPORTED.into_iter().chain([&KEY_REUSE]);
    if let Some(setting) = numeric.into_iter().find(|setting| setting.name == name) {
        return Permitted::Number(&setting.range);
    }
    if UNCHECKED.contains(&name) {
        return Permitted::Anything;
    }
    Permitted::Nothing
}
