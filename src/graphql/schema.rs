//! What the schemas have in common: how one is printed, and the front door that its documents pass.

use async_graphql::{EmptySubscription, ObjectType, SDLExportOptions, SubscriptionType, ValidationMode};

use super::front_door::{BuildError, FrontDoor, Limits};
use super::scalars;

/// A schema, without live updates unless it says which.
pub type Schema<Q, M, S = EmptySubscription> = async_graphql::Schema<Q, M, S>;

/// Builds a schema. Documents reach it through the front door alone, which validates them in full.
pub fn build<Q, M, S>() -> Schema<Q, M, S>
where
    Q: ObjectType + Default + 'static,
    M: ObjectType + Default + 'static,
    S: SubscriptionType + Default + 'static,
{
    async_graphql::Schema::build(Q::default(), M::default(), S::default()).validation_mode(ValidationMode::Fast).finish()
}

/// The schema's definition, as it is printed.
pub fn sdl<Q, M, S>(schema: &Schema<Q, M, S>) -> String
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    let options = SDLExportOptions::new().sorted_fields().sorted_arguments().sorted_enum_items().include_specified_by();
    schema.sdl_with_options(options)
}

/// The front door of the schema, which reads every scalar before anything runs, and lets one mutation of `sign_ins` into an operation.
///
/// # Errors
/// [`BuildError`] where the schema or a scalar's name is not valid: a fault of the build.
pub fn front_door<Q, M, S>(schema: &Schema<Q, M, S>, sign_ins: &'static [&'static str], limits: Limits) -> Result<FrontDoor, BuildError>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    let mut door = FrontDoor::new(&sdl(schema), limits)?.with_sign_ins(sign_ins)?;
    // Files come to one of the two APIs alone.
    let defined: Vec<_> = scalars::CHECKS.iter().filter(|(name, _)| door.defines_scalar(name)).collect();
    for (name, check) in defined {
        door = door.with_scalar(name, *check)?;
    }
    Ok(door)
}

/// The mutations of a printed schema whose input has a secret that somebody could guess at.
#[cfg(test)]
pub(super) fn mutations_with_secrets(sdl: &str) -> Vec<String> {
    use apollo_compiler::schema::ExtendedType;

    let schema = apollo_compiler::Schema::parse_and_validate(sdl, "schema").unwrap();
    let Some(ExtendedType::Object(mutation)) = schema.types.get("Mutation") else { panic!("there are no mutations") };
    let is_secret = |name: &str| name.to_lowercase().ends_with("password") || ["otp", "token", "refreshToken"].contains(&name);
    let takes_one = |field: &apollo_compiler::ast::FieldDefinition| {
        let input = field.arguments.first().and_then(|input| schema.types.get(input.ty.inner_named_type()));
        matches!(input, Some(ExtendedType::InputObject(input)) if input.fields.keys().any(|field| is_secret(field.as_str())))
    };
    mutation.fields.iter().filter(|(_, field)| takes_one(field)).map(|(name, _)| name.to_string()).collect()
}
