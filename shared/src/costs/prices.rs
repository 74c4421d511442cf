//! What a unit costs, as it is configured: with a date, a source, and whether the source was seen.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use time::Date;

use super::{
    model::{Quality, Tier, Unit, Vendor},
    money::{Money, TooMuch},
};

/// The prices that count where no others are set.
const DEFAULT: &str = include_str!("../../../infra/prices.json");

/// All prices of one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Prices {
    /// When somebody last looked.
    #[serde(with = "super::model::iso")]
    pub as_of: Date,
    pub prices: Vec<Price>,
    /// What is free every month.
    #[serde(default)]
    pub allowances: Vec<Allowance>,
    /// What a plan gives back every month.
    #[serde(default)]
    pub credits: Vec<Credit>,
}

/// What so many of a unit cost. Without a quality or a tier it is for all that have none of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Price {
    pub unit: Unit,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// US dollars for `per` of the unit.
    pub dollars: Money,
    pub per: u64,
    /// Whether the figure was read at its source.
    pub verified: bool,
    /// Where it is from: an address, or what was assumed.
    pub source: String,
}

/// So many of a unit cost nothing in a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Allowance {
    pub unit: Unit,
    pub units: u64,
    pub verified: bool,
    pub source: String,
}

/// So much of a vendor's bill is covered every month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Credit {
    pub vendor: Vendor,
    pub dollars: Money,
    pub verified: bool,
    pub source: String,
}

/// Why a list of prices is none. Says where, and shows no price.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PricesError {
    #[error("is not the JSON of a list of prices (line {line}, column {column})")]
    Json { line: usize, column: usize },
    #[error("has no price for {0}")]
    Missing(Wanted),
    #[error("has two prices for {0}")]
    Twice(Wanted),
    #[error("has a price below nothing for {0}")]
    Negative(Wanted),
    #[error("has a price for none of {0}")]
    PerNothing(Wanted),
    #[error("has no source for {0}")]
    NoSource(Wanted),
    #[error("has two allowances of {0}")]
    AllowedTwice(Wanted),
    #[error("has a credit below nothing, or two of {0}")]
    Credit(&'static str),
}

/// What is priced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wanted {
    pub unit: Unit,
    pub quality: Option<Quality>,
    pub tier: Option<Tier>,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.unit.name())?;
        for name in [self.quality.map(Quality::name), self.tier.map(Tier::name)]
            .into_iter()
            .flatten()
        {
            write!(f, " {name}")?;
        }
        Ok(())
    }
}

impl Price {
    fn wanted(&self) -> Wanted {
        Wanted {
            unit: self.unit,
            quality: self.quality,
            tier: self.tier,
        }
    }

    /// How well it fits; nothing, if it does not.
    fn fits(&self, wanted: Wanted) -> Option<u8> {
        let quality = self.quality.is_none_or(|it| Some(it) == wanted.quality);
        let tier = self.tier.is_none_or(|it| Some(it) == wanted.tier);
        let fits = self.unit == wanted.unit && quality && tier;
        fits.then_some(2 * u8::from(self.quality.is_some()) + u8::from(self.tier.is_some()))
    }

    /// What a quantity of it costs, rounded half to even to the millionth of a dollar.
    pub fn cost(&self, amount: u64) -> Result<Money, TooMuch> {
        let of = self.per.checked_mul(self.unit.one()).ok_or(TooMuch)?;
        self.dollars.times(amount, of)
    }
}

impl Prices {
    /// The prices that come with the portal.
    pub fn built_in() -> Result<Self, PricesError> {
        DEFAULT.parse()
    }

    /// Reads a list; nothing: the prices that come with the portal.
    pub fn read(text: &str) -> Result<Self, Vec<String>> {
        let prices = match text {
            "" => Self::built_in(),
            text => text.parse(),
        };
        prices.map_err(|error| vec![error.to_string()])
    }

    /// The price that fits best: one for this quality counts for more than one for this tier.
    pub fn of(&self, wanted: Wanted) -> Option<&Price> {
        let fitting = self
            .prices
            .iter()
            .filter_map(|it| Some((it.fits(wanted)?, it)));
        fitting.max_by_key(|(how, _)| *how).map(|(_, it)| it)
    }

    fn check(&self) -> Result<(), PricesError> {
        for (place, price) in self.prices.iter().enumerate() {
            let wanted = price.wanted();
            if self.prices[..place].iter().any(|it| it.wanted() == wanted) {
                return Err(PricesError::Twice(wanted));
            }
            if price.dollars < Money::ZERO {
                return Err(PricesError::Negative(wanted));
            }
            if price.per == 0 {
                return Err(PricesError::PerNothing(wanted));
            }
            if price.source.trim().is_empty() {
                return Err(PricesError::NoSource(wanted));
            }
        }
        let missing = everything().find(|it| self.of(*it).is_none());
        if let Some(wanted) = missing {
            return Err(PricesError::Missing(wanted));
        }
        for (place, allowance) in self.allowances.iter().enumerate() {
            if self.allowances[..place]
                .iter()
                .any(|it| it.unit == allowance.unit)
            {
                let (quality, tier) = (None, None);
                let unit = allowance.unit;
                return Err(PricesError::AllowedTwice(Wanted {
                    unit,
                    quality,
                    tier,
                }));
            }
        }
        for (place, credit) in self.credits.iter().enumerate() {
            let twice = self.credits[..place]
                .iter()
                .any(|it| it.vendor == credit.vendor);
            if twice || credit.dollars < Money::ZERO {
                return Err(PricesError::Credit(credit.vendor.name()));
            }
        }
        Ok(())
    }
}

/// Everything that may be used must have a price.
fn everything() -> impl Iterator<Item = Wanted> {
    Unit::ALL.into_iter().flat_map(|unit| match unit.vendor() {
        Vendor::Aws => vec![Wanted {
            unit,
            quality: None,
            tier: None,
        }],
        Vendor::Mux => {
            let each = Quality::ALL.into_iter().flat_map(|quality| {
                Tier::ALL.map(|tier| Wanted {
                    unit,
                    quality: Some(quality),
                    tier: Some(tier),
                })
            });
            each.collect()
        }
    })
}

impl FromStr for Prices {
    type Err = PricesError;

    fn from_str(text: &str) -> Result<Self, PricesError> {
        let prices: Self = serde_json::from_str(text).map_err(|error| PricesError::Json {
            line: error.line(),
            column: error.column(),
        })?;
        prices.check()?;
        Ok(prices)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn changed(change: impl Fn(&mut Value)) -> Result<Prices, PricesError> {
        let mut list: Value = serde_json::from_str(DEFAULT).unwrap();
        change(&mut list);
        list.to_string().parse()
    }

    #[test]
    fn the_prices_that_come_along_price_everything_and_say_what_nobody_verified() {
        let prices = Prices::built_in().unwrap();
        assert!(prices.prices.iter().all(|it| !it.source.is_empty()));
        let unverified = prices.prices.iter().filter(|it| !it.verified);
        assert_ne!(unverified.count(), 0, "none of them was read at its source");
    }

    #[test]
    fn a_thousand_minutes_cost_what_is_written() {
        let prices = Prices::built_in().unwrap();
        let wanted = Wanted {
            unit: Unit::DeliveredMinutes,
            quality: Some(Quality::Basic),
            tier: Some(Tier::Hd),
        };
        let price = prices.of(wanted).unwrap();
        assert_eq!(
            price.cost(1_000 * 60_000_000).unwrap().to_string(),
            "0.800000"
        );
        assert_eq!(price.cost(60_000_000).unwrap().to_string(), "0.000800");
        assert_eq!(price.cost(1_000_000).unwrap().to_string(), "0.000013");
    }

    #[test]
    fn the_closest_price_counts() {
        let prices = changed(|list| {
            let any = json!({"unit": "encoded-minutes", "dollars": "9", "per": 1,
                "verified": true, "source": "x"});
            let plus = json!({"unit": "encoded-minutes", "quality": "plus", "dollars": "8", "per": 1,
                "verified": true, "source": "x"});
            let all = list["prices"].as_array_mut().unwrap();
            all.retain(|it| it["unit"] != "encoded-minutes");
            all.extend([any, plus]);
        });
        let prices = prices.unwrap();
        let dollars = |quality| {
            let wanted = Wanted {
                unit: Unit::EncodedMinutes,
                quality: Some(quality),
                tier: Some(Tier::Hd),
            };
            prices.of(wanted).unwrap().dollars.to_cents()
        };
        assert_eq!(dollars(Quality::Plus), "8.00");
        assert_eq!(dollars(Quality::Premium), "9.00");
    }

    #[test]
    fn what_is_wrong_with_a_list_is_named() {
        let error = |change: fn(&mut Value)| changed(change).unwrap_err().to_string();
        let first = |it: &str| format!("{it} encoded-minutes basic");
        assert_eq!(
            error(|list| list["prices"] = json!([])),
            "has no price for encoded-minutes basic audio-only"
        );
        assert_eq!(
            error(|list| {
                let again = list["prices"][0].clone();
                list["prices"].as_array_mut().unwrap().push(again);
            }),
            first("has two prices for")
        );
        assert_eq!(
            error(|list| list["prices"][0]["dollars"] = json!("-1")),
            first("has a price below nothing for")
        );
        assert_eq!(
            error(|list| list["prices"][0]["per"] = json!(0)),
            first("has a price for none of")
        );
        assert_eq!(
            error(|list| list["prices"][0]["source"] = json!(" ")),
            first("has no source for")
        );
        assert_eq!(
            error(|list| {
                let again = list["allowances"][0].clone();
                list["allowances"].as_array_mut().unwrap().push(again);
            }),
            "has two allowances of delivered-minutes"
        );
        assert_eq!(
            error(|list| {
                let credit =
                    json!({"vendor": "mux", "dollars": "-1", "verified": true, "source": "x"});
                list["credits"] = json!([credit]);
            }),
            "has a credit below nothing, or two of mux"
        );
        assert!(error(|list| list["price"] = json!([])).starts_with("is not the JSON"));
        assert!(
            error(|list| list["prices"][0]["dollars"] = json!(0.8)).starts_with("is not the JSON")
        );
    }
}
