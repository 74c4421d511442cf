//! How much a month may cost, for everybody together and for single organisations.

use std::collections::BTreeMap;

use super::money::Money;
use crate::ids::TenantId;

/// Monthly budgets at list prices. Who is not named has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Budgets {
    all: Option<Money>,
    tenants: BTreeMap<TenantId, Money>,
}

impl Budgets {
    /// Reads `all=100,ten_…=20.50`: dollars a month. The errors name places and show no value.
    pub fn read(text: &str) -> Result<Self, Vec<String>> {
        let (mut budgets, mut faults) = (Self::default(), Vec::new());
        let parts = text.split(',').map(str::trim).enumerate();
        for (place, part) in parts.filter(|(_, it)| !it.is_empty()) {
            let known = part.split_once('=').and_then(|(whose, dollars)| {
                let dollars: Money = dollars.trim().parse().ok()?;
                (dollars > Money::ZERO).then_some((whose.trim(), dollars))
            });
            let place = place + 1;
            match known {
                Some(("all", dollars)) => budgets.all = Some(dollars),
                Some((whose, dollars)) => match whose.parse() {
                    Ok(tenant) => drop(budgets.tenants.insert(tenant, dollars)),
                    Err(_) => faults.push(format!("has no organisation at place {place}")),
                },
                None => faults.push(format!("has no good value at place {place}")),
            }
        }
        if faults.is_empty() {
            return Ok(budgets);
        }
        Err(faults)
    }

    /// Whether nobody has one.
    pub fn is_empty(&self) -> bool {
        self.all.is_none() && self.tenants.is_empty()
    }

    /// Whose there are: tenants', and without one that of everybody together.
    pub fn whose(&self) -> impl Iterator<Item = Option<TenantId>> {
        let all = self.all.map(|_| None);
        all.into_iter()
            .chain(self.tenants.keys().copied().map(Some))
    }

    /// Of a tenant; without one, of everybody together.
    pub fn of(&self, tenant: Option<TenantId>) -> Option<Money> {
        match tenant {
            Some(tenant) => self.tenants.get(&tenant).copied(),
            None => self.all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_of_everybody_and_of_each() {
        let tenant = "ten_00000000000000000000000000";
        let budgets = Budgets::read(&format!("all=100, {tenant}=20.5,")).unwrap();
        assert_eq!(budgets.of(None).unwrap().to_cents(), "100.00");
        let own = budgets.of(tenant.parse().ok()).unwrap();
        assert_eq!(own.to_cents(), "20.50");
        assert_eq!(Budgets::read("").unwrap(), Budgets::default());
    }

    #[test]
    fn what_is_no_budget_is_named_by_its_place() {
        let faults = Budgets::read("all=0,hunter2=5,all").unwrap_err();
        assert_eq!(
            faults,
            [
                "has no good value at place 1",
                "has no organisation at place 2",
                "has no good value at place 3",
            ]
        );
    }
}
