//! Who is shown the schema, and how many rows a page has, by the operator's settings.

use evolve_business::http::graphql::{Introspection, Settings};
use evolve_business::store::types::StaffRole;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_live::Stream;
use crate::world_lives::register;

both!(the_schema_is_shown_to_those_alone_who_may_see_it, a_page_has_no_more_rows_than_the_operator_lets,);

const SCHEMA: &str = "{ __schema { queryType { name } } }";
const TYPE: &str = "{ ...a } fragment a on Query { x: __type(name: \"Query\") { name } }";

/// The status of an answer, and its code if it has one.
async fn asked(client: &Client, query: &str) -> (u16, String) {
    let (status, body) = client.raw(query, &json!({})).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    (status, body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned())
}

async fn the_schema_is_shown_to_those_alone_who_may_see_it(db: TestDatabase) {
    let world = World::at(db, "2027-01-31T09:00:00Z").await;
    let open = Server::start(&world).await;
    let (ann, _) = register(&open, "ann").await;
    let staff = world.staff(&open, StaffRole::Support).await;
    for (shown, to_nobody, to_somebody) in [
        (Introspection::Everybody, (200, ""), (200, "")),
        (Introspection::SignedIn, (401, "UNAUTHENTICATED"), (200, "")),
        (Introspection::Nobody, (403, "FORBIDDEN"), (403, "FORBIDDEN")),
    ] {
        let server = Server::set(&world, Settings { introspection: shown, ..Settings::default() }, |app| app).await;
        let mut at_staff = server.staff();
        at_staff.token.clone_from(&staff.token);
        for (client, (status, code)) in [
            (server.client(), to_nobody),
            (server.staff(), to_nobody),
            (server.holder(&json!(ann.token)), to_somebody),
            (at_staff, to_somebody),
        ] {
            for query in [SCHEMA, TYPE] {
                assert_eq!(asked(&client, query).await, (status, code.to_owned()), "{shown:?} {query}");
            }
            // The name of a type is no secret, and clients ask for it everywhere.
            assert_eq!(asked(&client, "{ __typename }").await, (200, String::new()), "{shown:?}");
        }
        let url = format!("{}/graphql?query={}", server.url, "%7B__schema%7BqueryType%7Bname%7D%7D%7D");
        let by_get = reqwest::Client::new().get(url).header("accept", "application/graphql-response+json").send().await.unwrap();
        assert_eq!(by_get.status().as_u16(), to_nobody.0, "{shown:?}");
        let mut stream = Stream::ask(&server.client(), SCHEMA, json!({})).await.ok().unwrap();
        let told = stream.next().await.unwrap().1;
        assert_eq!(told["errors"][0]["extensions"]["code"].as_str().unwrap_or_default(), to_nobody.1, "{shown:?}: {told}");
    }
}

async fn a_page_has_no_more_rows_than_the_operator_lets(db: TestDatabase) {
    let world = World::at(db, "2027-01-31T09:00:00Z").await;
    world.seed_catalogue().await;
    let server = Server::set(&world, Settings { page_rows: 2, ..Settings::default() }, |app| app).await;
    let plans = async |arguments: &str| {
        let query = format!("{{ plans(product: \"erp\"{arguments}) {{ nodes {{ code }} pageInfo {{ hasNextPage }} }} }}");
        server.client().ask(&query, json!({})).await
    };
    for arguments in ["", ", first: 2", ", last: 2"] {
        let answer = plans(arguments).await;
        assert_eq!(answer["data"]["plans"]["nodes"].as_array().unwrap().len(), 2, "{arguments}: {answer}");
    }
    let answer = plans(", first: 3").await;
    let error = &answer["errors"][0];
    assert_eq!((&error["message"], &error["extensions"]["code"]), (&json!("A page has 1 to 2 rows, not 3."), &json!("BAD_USER_INPUT")));
    assert_eq!(error["extensions"]["limit"], json!({ "code": "PAGE_ROWS", "reached": 3, "limit": 2 }));
    let none = plans(", first: 0").await;
    assert_eq!(none["errors"][0]["message"], "A page has 1 to 2 rows, not 0.");
    assert_eq!(none["errors"][0]["extensions"]["limit"], json!(null), "no limit was passed");
}
