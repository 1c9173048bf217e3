//! Objects most of whose fields are at hand, which are resolved one after the other. The library makes a future of its own for each field, on
//! the heap, and waits for all of them at once: what fields that read the database need, and what costs others more than their value
//! does. Half of an answer's fields are amounts of money.

use std::borrow::Cow;
use std::ops::Deref;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::registry::Registry;
use async_graphql::resolver_utils::{ContainerType, resolve_container};
use async_graphql::{Context, ContextSelectionSet, ObjectType, OutputType, Positioned, ServerResult, Value};
use futures::future::try_join_all;

/// The field that says of which type an object is.
const TYPE_NAME: &str = "__typename";

/// An object that may be resolved so.
pub trait AtHand: ContainerType {
    /// Its fields that wait for something. They are resolved together, when the others are. One that is missing here makes those behind
    /// it wait for it.
    const WAIT: &'static [&'static str] = &[];
}

/// An object whose fields are resolved in turn, but for those that wait.
#[derive(Debug, Clone)]
pub struct InTurn<T>(pub T);

impl<T> Deref for InTurn<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: AtHand> OutputType for InTurn<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn introspection_type_name(&self) -> Cow<'static, str> {
        self.0.introspection_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, context: &ContextSelectionSet<'_>, _field: &Positioned<Field>) -> ServerResult<Value> {
        let items = &context.item.node.items;
        let mut fields = Vec::with_capacity(items.len());
        if !each_asked(context, &self.0.introspection_type_name(), &context.item.node, &mut fields) {
            return resolve_container(context, &self.0).await;
        }
        let resolved = async |field| {
            let of_field = context.with_field(field);
            ServerResult::Ok(self.0.resolve_field(&of_field).await?.unwrap_or_default())
        };
        let (mut object, mut waiting) = (IndexMap::with_capacity(fields.len()), Vec::new());
        for field in fields {
            let (name, key) = (field.node.name.node.as_str(), field.node.response_key().node.clone());
            let value = if name == TYPE_NAME {
                Value::String(self.0.introspection_type_name().into_owned())
            } else if T::WAIT.contains(&name) {
                waiting.push((object.len(), field));
                Value::Null
            } else {
                resolved(field).await?
            };
            object.insert(key, value);
        }
        let waited = waiting.iter().map(|(_, field)| resolved(*field));
        let values = try_join_all(waited).await?;
        for ((place, _), value) in waiting.iter().zip(values) {
            if let Some((_, waited)) = object.get_index_mut(*place) {
                *waited = value;
            }
        }
        Ok(Value::Object(object))
    }
}

impl<T: AtHand> ContainerType for InTurn<T> {
    async fn resolve_field(&self, context: &Context<'_>) -> ServerResult<Option<Value>> {
        self.0.resolve_field(context).await
    }
}

impl<T: AtHand + ObjectType> ObjectType for InTurn<T> {}

/// Adds the fields that are asked of an object of a type, those in fragments on it too, each once. Answers whether that is all there is to
/// it: two parts of one field are not put together here, nor is there anything done that a directive asks for.
fn each_asked<'a>(
    context: &ContextSelectionSet<'a>,
    type_name: &str,
    asked: &'a SelectionSet,
    fields: &mut Vec<&'a Positioned<Field>>,
) -> bool {
    asked.items.iter().all(|selection| match &selection.node {
        Selection::Field(field) => {
            let key = &field.node.response_key().node;
            let is_new = fields.iter().all(|other| other.node.response_key().node != *key);
            fields.push(field);
            is_new && field.node.directives.is_empty()
        }
        Selection::FragmentSpread(spread) => {
            let fragment = context.query_env.fragments.get(&spread.node.fragment_name.node);
            spread.node.directives.is_empty()
                && fragment.is_some_and(|fragment| {
                    fragment.node.type_condition.node.on.node == type_name
                        && each_asked(context, type_name, &fragment.node.selection_set.node, fields)
                })
        }
        Selection::InlineFragment(fragment) => {
            fragment.node.directives.is_empty()
                && fragment.node.type_condition.as_ref().is_none_or(|condition| condition.node.on.node == type_name)
                && each_asked(context, type_name, &fragment.node.selection_set.node, fields)
        }
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_graphql::{Context, EmptyMutation, EmptySubscription, Error, Object, Result, Schema};
    use tokio::sync::Barrier;
    use tokio::time::timeout;

    use super::{AtHand, InTurn};

    #[derive(Clone)]
    struct Price(i32);

    #[Object]
    impl Price {
        async fn amount(&self) -> i32 {
            self.0
        }
        async fn currency(&self) -> &str {
            "KES"
        }
        async fn twice(&self) -> Option<InTurn<Twice>> {
            Some(InTurn(Twice(self.0 * 2)))
        }
        /// Waits until the same of another price waits too.
        async fn slow(&self, context: &Context<'_>) -> i32 {
            context.data_unchecked::<Barrier>().wait().await;
            self.0
        }
        async fn times(&self, by: i32) -> Option<Result<i32>> {
            Some(self.0.checked_mul(by).ok_or_else(|| Error::new("too much")))
        }
    }

    /// A type of its own: one that had itself in turn would have no end, which the compiler says.
    #[derive(Clone)]
    struct Twice(i32);

    #[Object]
    impl Twice {
        async fn amount(&self) -> i32 {
            self.0
        }
        async fn currency(&self) -> &str {
            "KES"
        }
    }

    impl AtHand for Twice {}

    impl AtHand for Price {
        const WAIT: &'static [&'static str] = &["slow"];
    }

    struct Query;

    #[Object]
    impl Query {
        async fn joined(&self) -> Vec<Price> {
            vec![Price(1), Price(2)]
        }
        async fn in_turn(&self) -> Vec<InTurn<Price>> {
            vec![InTurn(Price(1)), InTurn(Price(2))]
        }
    }

    /// The answer where the fields are resolved in turn, and where they are joined, which must be the same.
    async fn both(asked: &str, fragments: &str) -> String {
        let schema = Schema::new(Query, EmptyMutation, EmptySubscription);
        let mut answers = Vec::new();
        for name in ["joined", "inTurn"] {
            let answer = schema.execute(format!("{{ it: {name} {asked} }} {fragments}")).await;
            answers.push(serde_json::to_string(&answer).unwrap());
        }
        assert_eq!(answers[1], answers[0]);
        answers.remove(1)
    }

    #[tokio::test]
    async fn fields_that_wait_wait_together() {
        // All four of an answer; one alone would wait for ever.
        let schema = Schema::build(Query, EmptyMutation, EmptySubscription).data(Barrier::new(4)).finish();
        let request = "{ inTurn { slow currency again: slow } }";
        let answer = timeout(Duration::from_secs(10), schema.execute(request)).await.unwrap();
        let expected = r#"{"inTurn":[{"slow":1,"currency":"KES","again":1},{"slow":2,"currency":"KES","again":2}]}"#;
        assert_eq!(serde_json::to_string(&answer.data).unwrap(), expected);
    }

    async fn data(asked: &str, fragments: &str) -> String {
        let answer = both(asked, fragments).await;
        answer.strip_prefix(r#"{"data":{"it":"#).and_then(|rest| rest.strip_suffix("}}")).unwrap_or(&answer).to_owned()
    }

    #[tokio::test]
    async fn fields_are_answered_in_the_order_in_which_they_are_asked() {
        let answer = data("{ currency twice { amount } __typename sum: amount times(by: 3) }", "").await;
        let one = |amount: i32| {
            format!(
                r#"{{"currency":"KES","twice":{{"amount":{}}},"__typename":"Price","sum":{amount},"times":{}}}"#,
                amount * 2,
                amount * 3
            )
        };
        assert_eq!(answer, format!("[{},{}]", one(1), one(2)));
    }

    #[tokio::test]
    async fn fragments_are_answered_where_they_stand() {
        let fragments = "fragment P on Price { currency ...Q } fragment Q on Price { twice { ... { amount } } }";
        let answer = data("{ ...P ... on Price { amount } }", fragments).await;
        assert!(answer.starts_with(r#"[{"currency":"KES","twice":{"amount":2},"amount":1},"#), "{answer}");
    }

    #[tokio::test]
    async fn two_parts_of_a_field_are_put_together() {
        let answer = data("{ twice { amount } amount twice { currency } amount }", "").await;
        assert!(answer.starts_with(r#"[{"twice":{"amount":2,"currency":"KES"},"amount":1},"#), "{answer}");
    }

    #[tokio::test]
    async fn what_is_to_be_left_out_is_left_out() {
        let answer =
            data("{ amount @skip(if: true) currency @include(if: true) ... on Price @skip(if: true) { twice { amount } } }", "").await;
        assert!(answer.starts_with(r#"[{"currency":"KES"},"#), "{answer}");
    }

    #[tokio::test]
    async fn a_field_that_fails_says_where_it_stands() {
        let answer = both("{ amount much: times(by: 2147483647) }", "").await;
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["data"]["it"][1], serde_json::json!({ "amount": 2, "much": null }));
        assert_eq!(answer["errors"][0]["message"], "too much");
        assert_eq!(answer["errors"][0]["path"], serde_json::json!(["it", 1, "much"]));
    }
}
