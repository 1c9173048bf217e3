//! Where an event belongs: its shape, then the subscription, the usage period and the feature that it counts for.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::course::{Course, Window, courses};
use super::entitlement::{features_of_products, plan_of};
use super::{LATEST, MAX_EVENT_ID_CHARS, MAX_PROPERTIES_BYTES, NewEvent, earlier};
use crate::billing::lifecycle::SubscriptionStatus;
use crate::billing::usage::{BucketSize, MAX_QUANTITY, QUANTITY_DIGITS, UsagePeriod, bucket_start};
use crate::error::{Error, UserError, UserErrorCode};
use crate::ids::ProductId;
use crate::services::Ports;
use crate::services::access::Access;
use crate::services::billing::rule;
use crate::store::catalog::{Feature, USERS, VersionKey};
use crate::store::customers::Business;
use crate::store::types::{FeatureKind, UsageAction};
use crate::store::usage::{self, UsageCounter};
use crate::store::{Instant, Tenant};

/// An event whose values are good.
#[derive(Debug, Clone)]
pub(super) struct Sound<'e> {
    /// Its place in the call.
    pub(super) index: usize,
    /// As it was sent.
    pub(super) event: &'e NewEvent,
    /// How much.
    pub(super) quantity: Decimal,
    /// When it happened.
    pub(super) at: Timestamp,
    /// Its properties, as they are kept.
    pub(super) properties: Option<String>,
}

/// A refusal of a field of the event at `index`, or of none in particular.
pub(super) fn refuse(index: usize, field: Option<&'static str>, code: UserErrorCode, sentence: impl Into<String>) -> UserError {
    let mut error = UserError::new(code, sentence);
    error.field = ["events".into(), index.to_string().into()].into_iter().chain(field.map(Into::into)).collect();
    error
}

impl<'e> Sound<'e> {
    /// The event at `index`, where its values are good.
    ///
    /// # Errors
    /// What is wrong with it. A fault for a clock that shows no time.
    pub(super) fn of(index: usize, event: &'e NewEvent, now: Instant) -> Result<Result<Self, UserError>, Error> {
        let earliest = earlier(now.get(), LATEST)?;
        Ok(Self::check(index, event, now, earliest))
    }

    fn check(index: usize, event: &'e NewEvent, now: Instant, earliest: Timestamp) -> Result<Self, UserError> {
        let no = |field, code, sentence: &str| Err(refuse(index, Some(field), code, sentence));
        if event.event_id.is_empty() {
            return no("eventId", UserErrorCode::Required, "An event needs an id of its own.");
        }
        if event.event_id.chars().nth(MAX_EVENT_ID_CHARS).is_some() {
            return no("eventId", UserErrorCode::TooLong, "An event's id has at most 128 characters.");
        }
        if event.event_id.chars().any(char::is_control) {
            return no("eventId", UserErrorCode::Invalid, "An event's id has no control characters.");
        }
        let quantity = event.quantity.decimal();
        if quantity.scale() > QUANTITY_DIGITS {
            return no("quantity", UserErrorCode::Invalid, "A quantity has at most six digits after the point.");
        }
        if quantity.abs() > MAX_QUANTITY {
            return no("quantity", UserErrorCode::TooLarge, "A quantity is at most 1000000000000000.");
        }
        let at = event.occurred_at.unwrap_or(now).get();
        if at > now.get() {
            return no("occurredAt", UserErrorCode::Invalid, "It has not happened yet.");
        }
        if at < earliest {
            return no("occurredAt", UserErrorCode::Invalid, "It happened more than 35 days ago.");
        }
        let properties = event.properties.as_ref().filter(|value| !value.is_null());
        if properties.is_some_and(|value| !value.is_object()) {
            return no("properties", UserErrorCode::Invalid, "Properties are an object.");
        }
        let properties = properties.map(ToString::to_string);
        if properties.as_ref().is_some_and(|text| text.len() > MAX_PROPERTIES_BYTES) {
            return no("properties", UserErrorCode::TooLarge, "Properties have at most 4096 bytes.");
        }
        Ok(Self { index, event, quantity, at, properties })
    }

    /// A refusal of one of its fields.
    pub(super) fn refuse(&self, field: &'static str, code: UserErrorCode, sentence: impl Into<String>) -> UserError {
        refuse(self.index, Some(field), code, sentence)
    }
}

/// What events are placed by: the subscriptions, locked, with their plans and what was counted.
#[derive(Debug)]
pub(super) struct Ground {
    /// Products by their codes.
    products: HashMap<String, ProductId>,
    /// The subscriptions, the newest of a product first.
    pub(super) courses: Vec<Course>,
    /// What was counted for them.
    pub(super) counters: Vec<UsageCounter>,
    /// The features of their plans.
    features: HashMap<VersionKey, Arc<[Feature]>>,
    /// What other plans of the products have, where something was asked for that these lack.
    siblings: Vec<(ProductId, Feature)>,
    /// Now.
    now: Timestamp,
}

/// An event with what it counts for.
#[derive(Debug)]
pub(super) struct Placed<'g> {
    /// The event.
    pub(super) sound: Sound<'g>,
    /// The subscription.
    pub(super) course: &'g Course,
    /// The usage period.
    pub(super) window: Window,
    /// The feature.
    pub(super) feature: &'g Feature,
    /// Whether the plan in force has it.
    pub(super) in_plan: bool,
    /// The hour of the history that it goes to; none for what stands, once the subscription has ended.
    pub(super) hour: Option<Timestamp>,
    /// The usage period that runs, where the event counts in it: none for a metered event of one that is over, and none once
    /// the subscription has ended.
    pub(super) running: Option<UsagePeriod>,
}

impl Ground {
    /// Locks the subscriptions that these events may count for, and reads what placing them needs.
    ///
    /// # Errors
    /// The database's fault.
    pub(super) async fn of(
        (tenant, business): (&Tenant, &Business),
        ports: &Ports,
        access: &Access,
        events: &[Sound<'_>],
        now: Instant,
    ) -> Result<Self, Error> {
        let catalogue = tenant.catalogue();
        let asked: BTreeSet<&str> = events.iter().map(|event| event.event.product.as_str()).collect();
        let mut products = ports.remembered().products(&catalogue, &asked).await?;
        // Of other products a product knows nothing.
        products.retain(|_, product| access.product().is_none_or(|own| own == *product));
        let ids: Vec<ProductId> = products.values().copied().collect();
        let since = earlier(now.get(), LATEST)?;
        let courses = courses(tenant, business, &ids, since, true).await?;
        let of_those: Vec<_> = courses.iter().map(|course| course.row.id).collect();
        let counters = usage::counters(tenant, &of_those, since.into()).await?;
        let rated = counters.iter().filter_map(|counter| counter.plan_id.zip(counter.plan_version));
        let mut keys: Vec<VersionKey> = courses.iter().map(plan_of).chain(rated).collect();
        keys.sort_unstable();
        keys.dedup();
        let features = ports.remembered().features(&catalogue, &keys).await?;
        let mut ground = Self { products, courses, counters, features, siblings: Vec::new(), now: now.get() };
        if events.iter().any(|event| ground.lacks(event)) {
            ground.siblings = features_of_products(&catalogue, &ids).await?;
        }
        Ok(ground)
    }

    /// Whether an event names a feature that a plan of its product's subscriptions does not have.
    fn lacks(&self, event: &Sound<'_>) -> bool {
        let product = self.products.get(&event.event.product);
        let of_product = self.courses.iter().filter(|course| Some(&course.row.product_id) == product);
        of_product.map(plan_of).any(|plan| self.feature(plan, &event.event.feature).is_none())
    }

    /// A plan's feature.
    fn feature(&self, plan: VersionKey, key: &str) -> Option<&Feature> {
        self.features.get(&plan)?.iter().find(|feature| feature.key == key)
    }

    /// Where an event belongs.
    ///
    /// # Errors
    /// NOT_FOUND for what there is not, INVALID for what cannot be counted so, and with `enforce` INVALID_TRANSITION for a
    /// subscription without access. A fault for a period that is none.
    pub(super) fn place<'g>(&'g self, sound: Sound<'g>, enforce: bool) -> Result<Result<Placed<'g>, UserError>, Error> {
        let Some(product) = self.products.get(&sound.event.product) else {
            return Ok(Err(sound.refuse("product", UserErrorCode::NotFound, "There is no such product.")));
        };
        let mut own = self.courses.iter().filter(|course| course.row.product_id == *product);
        let found = own.find(|course| course.covers(sound.at));
        let window = found.map(|course| course.window(sound.at)).transpose()?.flatten();
        let (Some(course), Some(window)) = (found, window) else {
            return Ok(Err(sound.refuse("product", UserErrorCode::NotFound, "There was no subscription to this product then.")));
        };
        let barred = matches!(course.row.status, SubscriptionStatus::Incomplete | SubscriptionStatus::Suspended);
        if enforce && barred {
            let sentence = "The subscription gives no access now: its invoices are to be paid first.";
            return Ok(Err(sound.refuse("product", UserErrorCode::InvalidTransition, sentence)));
        }
        let (feature, in_plan) = match self.rated(course, &window, &sound.event.feature) {
            Some(feature) => (Some(feature), true),
            None => (self.sibling(*product, &sound.event.feature), false),
        };
        let Some(feature) = feature else {
            return Ok(Err(sound.refuse("feature", UserErrorCode::NotFound, "No plan of this product has such a feature.")));
        };
        if let Err(error) = countable(&sound, feature) {
            return Ok(Err(error));
        }
        if enforce && !in_plan {
            let sentence = "The plan does not have this feature.";
            return Ok(Err(sound.refuse("feature", UserErrorCode::LimitExceeded, sentence)));
        }
        let current = course.window(self.now)?;
        let hour = hour(current.as_ref(), &window, feature.kind, (sound.at, self.now))?;
        let now = current.filter(|_| course.covers(self.now)).map(|current| current.period);
        let running = now.filter(|period| feature.kind == FeatureKind::Limit || *period == window.period);
        Ok(Ok(Placed { sound, course, window, feature, in_plan, hour, running }))
    }

    /// The feature as it is rated: by the plan in force, or in a usage period that is billed by the plan that billed it.
    fn rated(&self, course: &Course, window: &Window, key: &str) -> Option<&Feature> {
        let start = Instant::from(window.period.start);
        let is_it = |row: &&UsageCounter| row.subscription_id == course.row.id && row.feature_key == key && row.period_start == start;
        let billed = self.counters.iter().find(is_it).filter(|counter| counter.billed_at.is_some());
        let plan = billed.and_then(|counter| counter.plan_id.zip(counter.plan_version)).unwrap_or_else(|| plan_of(course));
        self.feature(plan, key)
    }

    /// A feature that another plan of the product has.
    fn sibling(&self, product: ProductId, key: &str) -> Option<&Feature> {
        self.siblings.iter().find(|(of, feature)| *of == product && feature.key == key).map(|(_, feature)| feature)
    }
}

/// The hour that an event goes to: metered when it happened, and for what stands when it is told of, in the usage period of
/// then.
fn hour(
    current: Option<&Window>,
    window: &Window,
    kind: FeatureKind,
    (at, now): (Timestamp, Timestamp),
) -> Result<Option<Timestamp>, Error> {
    let start = |window: &Window, at| {
        let hour = bucket_start(&window.zone, BucketSize::Hour, at).map_err(rule)?;
        Ok::<_, Error>(hour.max(window.period.start))
    };
    match kind {
        FeatureKind::Metered => start(window, at).map(Some),
        FeatureKind::Limit | FeatureKind::Switch => current.map(|current| start(current, now)).transpose(),
    }
}

/// Whether a feature can be counted as an event says.
fn countable(sound: &Sound<'_>, feature: &Feature) -> Result<(), UserError> {
    let (action, negative) = (sound.event.action, sound.quantity.is_sign_negative() && !sound.quantity.is_zero());
    match feature.kind {
        FeatureKind::Switch => Err(sound.refuse("feature", UserErrorCode::Invalid, "A switch is on or off; it is not counted.")),
        FeatureKind::Limit if feature.key == USERS => {
            Err(sound.refuse("feature", UserErrorCode::Invalid, "The people of a business are counted by themselves."))
        }
        FeatureKind::Metered if action == UsageAction::Set => {
            Err(sound.refuse("action", UserErrorCode::Invalid, "Only a standing quantity is set; what is metered is added."))
        }
        FeatureKind::Metered if negative => {
            Err(sound.refuse("quantity", UserErrorCode::Invalid, "What is metered is never taken back: send zero or more."))
        }
        FeatureKind::Limit if negative && action == UsageAction::Set => {
            Err(sound.refuse("quantity", UserErrorCode::Invalid, "A standing quantity is never below zero."))
        }
        FeatureKind::Limit | FeatureKind::Metered => Ok(()),
    }
}
