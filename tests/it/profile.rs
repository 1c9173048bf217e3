//! The business's profile and its people.

use evolve_business::error::{Error, Failure, UserErrorCode as Code};
use evolve_business::services::access::Caller;
use evolve_business::services::customers::{Change, UpdateProfile};
use evolve_business::store::types::{CompanySize, Role};
use jiff::SignedDuration;
use serde_json::json;

use crate::database::TestDatabase;
use crate::world::World;
use crate::world_accounts::{PASSWORD, refusals};

const NOW: &str = "2027-01-31T09:00:00Z";

both!(
    only_the_fields_that_are_given_are_changed,
    null_clears_a_nullable_field_and_no_other,
    an_update_answers_everything_that_is_wrong_and_changes_nothing,
    the_audit_trail_names_fields_and_no_values,
    tax_id_and_phone_cannot_be_read_in_the_table,
    only_owners_and_admins_change_the_profile,
    a_suspended_business_changes_nothing,
    registering_answers_what_was_made_to_who_came_in,
    the_viewer_is_the_caller,
    a_member_reads_the_profile_but_no_money,
    members_are_paged_with_their_names,
    the_worst_subscription_shows_on_the_business,
);

fn set(text: &str) -> Change<String> {
    Change::Set(text.to_owned())
}

/// The names of the errors of an answer.
fn messages(answer: &serde_json::Value) -> Vec<&str> {
    let errors = answer["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    errors.iter().filter_map(|error| error["message"].as_str()).collect()
}

async fn only_the_fields_that_are_given_are_changed(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let made = world.register("wanjiru@baraka.example").await;
    world.advance(SignedDuration::from_secs(60));
    let input = UpdateProfile {
        business_name: set("  Baraka Wholesale "),
        company_size: Change::Set(CompanySize::Size501Plus),
        city: set("Mombasa"),
        time_zone: set("africa/kampala"),
        ..UpdateProfile::default()
    };
    let row = world.accounts().update_profile(made.caller, input).await.unwrap();
    let expected = evolve_business::store::customers::Business {
        business_name: "Baraka Wholesale".to_owned(),
        company_size: CompanySize::Size501Plus,
        city: Some("Mombasa".to_owned()),
        time_zone: "Africa/Kampala".to_owned(),
        updated_at: "2027-01-31T09:01:00Z".parse::<jiff::Timestamp>().unwrap().into(),
        ..made.business.clone()
    };
    assert_eq!(row, expected);

    world.advance(SignedDuration::from_secs(60));
    let same = world.accounts().update_profile(made.caller, UpdateProfile::default()).await.unwrap();
    assert_eq!(same, expected, "an update of nothing succeeds and changes nothing");
    assert_eq!(world.read_texts("select action from audit_events order by sequence").await, ["business.registered", "business.updated"]);
}

async fn null_clears_a_nullable_field_and_no_other(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let owner = world.register("wanjiru@baraka.example").await.caller;
    let document = r#"mutation { updateProfile(input: { addressLine: "Moi Avenue 1", city: "Nairobi", phone: "+254712345678", taxId: "P051234567X" })
        { business { addressLine city phone taxId } userErrors { code } } }"#;
    let shown = world.ask_accounts(owner, document).await;
    let full = json!({ "addressLine": "Moi Avenue 1", "city": "Nairobi", "phone": "+254712345678", "taxId": "P051234567X" });
    assert_eq!(shown["data"]["updateProfile"], json!({ "business": full, "userErrors": [] }));

    let document = "mutation { updateProfile(input: { city: null, phone: null, taxId: null }) { business { addressLine city phone taxId } userErrors { code } } }";
    let shown = world.ask_accounts(owner, document).await;
    let cleared = json!({ "addressLine": "Moi Avenue 1", "city": null, "phone": null, "taxId": null });
    assert_eq!(shown["data"]["updateProfile"], json!({ "business": cleared, "userErrors": [] }));

    let needed = ["businessName", "businessEmail", "industry", "companySize", "country", "postalCode", "timeZone"];
    let nulls: Vec<String> = needed.iter().map(|field| format!("{field}: null")).collect();
    let document =
        format!("mutation {{ updateProfile(input: {{ {} }}) {{ business {{ id }} userErrors {{ code field }} }} }}", nulls.join(", "));
    let shown = world.ask_accounts(owner, &document).await;
    let refused: Vec<_> = needed.iter().map(|field| json!({ "code": "INVALID", "field": ["input", field] })).collect();
    assert_eq!(shown["data"]["updateProfile"], json!({ "business": null, "userErrors": refused }));
}

async fn an_update_answers_everything_that_is_wrong_and_changes_nothing(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let owner = world.register("wanjiru@baraka.example").await.caller;
    let input = UpdateProfile {
        business_name: set("A good name"),
        industry: set(""),
        country: set("ZZ"),
        postal_code: set(&"1".repeat(21)),
        city: set("Nai\nrobi"),
        phone: set("0712345678"),
        tax_id: set(" "),
        time_zone: Change::Clear,
        ..UpdateProfile::default()
    };
    let expected = [
        ("industry", Code::Required),
        ("country", Code::Invalid),
        ("postalCode", Code::TooLong),
        ("timeZone", Code::Invalid),
        ("city", Code::Invalid),
        ("phone", Code::Invalid),
        ("taxId", Code::Required),
    ];
    let refused = refusals(world.accounts().update_profile(owner, input).await);
    assert_eq!(refused, expected.map(|(field, code)| (field.to_owned(), code)));
    assert_eq!(world.read_texts("select business_name from businesses").await, ["Baraka Traders"]);
}

async fn the_audit_trail_names_fields_and_no_values(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let owner = world.register("wanjiru@baraka.example").await.caller;
    let input = UpdateProfile { phone: set("+254712345678"), tax_id: set("P051234567X"), city: Change::Clear, ..UpdateProfile::default() };
    world.accounts().update_profile(owner, input).await.unwrap();
    let details = world.read_texts("select details from audit_events order by sequence").await;
    assert_eq!(details[1], r#"{"fields":["city","phone","taxId"]}"#);
    let Caller::User { user, .. } = owner else { panic!("{owner:?}") };
    assert_eq!(world.read_texts("select actor from audit_events order by sequence").await, [user.to_string(), user.to_string()]);
}

async fn tax_id_and_phone_cannot_be_read_in_the_table(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let owner = world.register("wanjiru@baraka.example").await.caller;
    let input = UpdateProfile { phone: set("+254712345678"), tax_id: set("P051234567X"), ..UpdateProfile::default() };
    let row = world.accounts().update_profile(owner, input).await.unwrap();
    for (column, value) in [("phone_sealed", "+254712345678"), ("tax_id_sealed", "P051234567X")] {
        let stored = world.read_bytes(&format!("select {column} from businesses")).await;
        let stored = stored[0].clone().unwrap();
        // 1 version + 8 key id + 24 nonce + 16 tag
        assert_eq!(stored.len(), 49 + value.len());
        assert!(!stored.windows(4).any(|window| value.as_bytes().windows(4).any(|part| part == window)), "{column}");
    }
    let accounts = world.accounts();
    assert_eq!(accounts.phone(&row).unwrap().as_deref(), Some("+254712345678"));
    assert_eq!(accounts.tax_id(&row).unwrap().as_deref(), Some("P051234567X"));
    let mut moved = row.clone();
    moved.phone_sealed.clone_from(&row.tax_id_sealed);
    assert!(matches!(accounts.phone(&moved), Err(Error::Corrupt(_))), "a value of another column does not open");
}

async fn only_owners_and_admins_change_the_profile(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let scope = world.register("wanjiru@baraka.example").await.caller.scope().unwrap();
    let update = || UpdateProfile { business_name: set("Renamed"), ..UpdateProfile::default() };
    let wrong = || UpdateProfile { business_name: set(""), ..UpdateProfile::default() };
    for (role, email) in [(Role::Member, "member@baraka.example"), (Role::Billing, "billing@baraka.example")] {
        let caller = world.colleague(scope, role, email).await;
        for input in [update(), wrong()] {
            let answer = world.accounts().update_profile(caller, input).await;
            assert!(matches!(answer, Err(Failure::Fault(Error::Forbidden))), "{role:?}: {answer:?}");
        }
    }
    let nobody = world.accounts().update_profile(Caller::Anonymous, update()).await;
    assert!(matches!(nobody, Err(Failure::Fault(Error::Unauthenticated))), "{nobody:?}");
    assert_eq!(world.read_texts("select business_name from businesses").await, ["Baraka Traders"]);
    let admin = world.colleague(scope, Role::Admin, "admin@baraka.example").await;
    assert_eq!(world.accounts().update_profile(admin, update()).await.unwrap().business_name, "Renamed");
}

async fn a_suspended_business_changes_nothing(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let owner = world.register("wanjiru@baraka.example").await.caller;
    world.run_sql("update businesses set suspended_at = created_at").await;
    let input = UpdateProfile { city: set("Nairobi"), ..UpdateProfile::default() };
    assert!(matches!(world.accounts().update_profile(owner, input).await, Err(Failure::Fault(Error::Forbidden))));
    let shown = world.ask_accounts(owner, "{ profile { suspendedAt city } }").await;
    assert_eq!(shown["data"]["profile"], json!({ "suspendedAt": "2027-01-31T09:00:00Z", "city": null }));
    // A person may still leave, and keep their password safe.
    world.accounts().change_password(owner, PASSWORD.into(), "velvet-harbour-counts-onions".into()).await.unwrap();
    world.accounts().sign_out(owner, false).await.unwrap();
}

async fn registering_answers_what_was_made_to_who_came_in(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let document = r#"mutation { register(input: { businessName: "Upendo SACCO", businessEmail: "hello@upendo.example", industry: "Finance",
        companySize: SIZE_11_50, country: "KE", postalCode: "80100", fullName: "Otieno Odhiambo", email: "Otieno@upendo.example",
        password: "copper-lantern-drifts-sideways" }) {
          business { businessName companySize country timeZone currency subscriptionStatus taxExempt balance { amount currency minorUnits }
            members(first: 5) { totalCount nodes { role user { fullName } } pageInfo { hasNextPage } } }
          user { email emailVerified locale twoFactorEnabled }
          session { accessToken accessTokenExpiresAt refreshTokenExpiresAt }
          userErrors { code } } }"#;
    let shown = world.ask_accounts(Caller::Anonymous, document).await;
    let made = &shown["data"]["register"];
    assert_eq!(
        made["business"],
        json!({ "businessName": "Upendo SACCO", "companySize": "SIZE_11_50", "country": "KE", "timeZone": "Africa/Nairobi", "currency": "USD",
            "subscriptionStatus": "NONE", "taxExempt": false, "balance": { "amount": "0.00", "currency": "USD", "minorUnits": "0" },
            "members": { "totalCount": 1, "nodes": [{ "role": "OWNER", "user": { "fullName": "Otieno Odhiambo" } }], "pageInfo": { "hasNextPage": false } } }),
        "{shown}"
    );
    assert_eq!(
        made["user"],
        json!({ "email": "Otieno@upendo.example", "emailVerified": false, "locale": "en", "twoFactorEnabled": false })
    );
    assert_eq!(made["session"]["accessTokenExpiresAt"], "2027-01-31T09:15:00Z");
    assert_eq!(made["session"]["refreshTokenExpiresAt"], "2027-03-02T09:00:00Z");
    assert_eq!(made["userErrors"], json!([]));
    let token = made["session"]["accessToken"].as_str().unwrap();
    assert!(world.access(world.accounts().authenticate(token).unwrap()).await.is_ok());

    let again = world.ask_accounts(Caller::Anonymous, document).await;
    let refused = json!({ "business": null, "user": null, "session": null, "userErrors": [{ "code": "TAKEN" }] });
    assert_eq!(again["data"]["register"], refused);
}

async fn the_viewer_is_the_caller(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let made = world.register("wanjiru@baraka.example").await;
    let fields = "{ role user { id fullName } business { id businessName } memberships { role businessId businessName joinedAt } }";
    let id = made.business.business_id.to_string();
    let expected = json!({
        "role": "OWNER",
        "user": { "id": made.user.id.to_string(), "fullName": "Wanjiru Kamau" },
        "business": { "id": id, "businessName": "Baraka Traders" },
        "memberships": [{ "role": "OWNER", "businessId": id, "businessName": "Baraka Traders", "joinedAt": "2027-01-31T09:00:00Z" }],
    });
    let shown = world.ask_accounts(made.caller, &format!("{{ viewer {fields} }}")).await;
    assert_eq!(shown["data"]["viewer"], expected, "{shown}");
    let document = format!(
        r#"mutation {{ signIn(input: {{ email: "wanjiru@baraka.example", password: "{PASSWORD}", otp: "000000", businessId: "{id}" }}) {{ viewer {fields} userErrors {{ code }} }} }}"#
    );
    let entered = world.ask_accounts(Caller::Anonymous, &document).await;
    assert_eq!(entered["data"]["signIn"], json!({ "viewer": expected, "userErrors": [] }), "{entered}");

    let nobody = world.ask_accounts(Caller::Anonymous, "{ viewer { role } }").await;
    assert_eq!(nobody, json!({ "data": { "viewer": null } }));
    let nobody = world.ask_accounts(Caller::Anonymous, "{ profile { id } sessions { id } }").await;
    assert_eq!(nobody["data"], json!({ "profile": null, "sessions": null }));
    assert_eq!(messages(&nobody), ["Sign in first.", "Sign in first."]);

    world.accounts().sign_out(made.caller, false).await.unwrap();
    let over = world.ask_accounts(made.caller, "{ viewer { role } }").await;
    assert_eq!((&over["data"], messages(&over)), (&json!({ "viewer": null }), vec!["Sign in first."]));
}

async fn a_member_reads_the_profile_but_no_money(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let scope = world.register("wanjiru@baraka.example").await.caller.scope().unwrap();
    let member = world.colleague(scope, Role::Member, "member@baraka.example").await;
    let billing = world.colleague(scope, Role::Billing, "billing@baraka.example").await;
    let shown = world.ask_accounts(member, "{ profile { businessName } }").await;
    assert_eq!(shown, json!({ "data": { "profile": { "businessName": "Baraka Traders" } } }));
    let shown = world.ask_accounts(member, "{ profile { businessName balance { amount } } }").await;
    assert_eq!((&shown["data"], messages(&shown)), (&json!({ "profile": null }), vec!["Your role or key does not allow this."]));
    let shown = world.ask_accounts(billing, "{ profile { balance { amount } } }").await;
    assert_eq!(shown, json!({ "data": { "profile": { "balance": { "amount": "0.00" } } } }));
}

async fn members_are_paged_with_their_names(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let owner = world.register("wanjiru@baraka.example").await.caller;
    let stranger = world.register("amina@safari.example").await.caller;
    for turn in 1..=3 {
        world.advance(SignedDuration::from_secs(1));
        world.colleague(owner.scope().unwrap(), Role::Member, &format!("member{turn}@baraka.example")).await;
    }
    let page = |arguments: &str| {
        format!(
            "{{ profile {{ members({arguments}) {{ totalCount nodes {{ user {{ email }} }} pageInfo {{ endCursor hasNextPage }} }} }} }}"
        )
    };
    let emails = |answer: &serde_json::Value| -> Vec<String> {
        let nodes = answer["data"]["profile"]["members"]["nodes"].as_array().unwrap();
        nodes.iter().map(|node| node["user"]["email"].as_str().unwrap().to_owned()).collect()
    };
    let first = world.ask_accounts(owner, &page("first: 3")).await;
    assert_eq!(emails(&first), ["member3@baraka.example", "member2@baraka.example", "member1@baraka.example"]);
    let members = &first["data"]["profile"]["members"];
    assert_eq!((&members["totalCount"], &members["pageInfo"]["hasNextPage"]), (&json!(4), &json!(true)));
    let cursor = members["pageInfo"]["endCursor"].as_str().unwrap();
    let rest = world.ask_accounts(owner, &page(&format!("first: 3, after: \"{cursor}\""))).await;
    assert_eq!(emails(&rest), ["wanjiru@baraka.example"]);

    let other = world.ask_accounts(stranger, &page("first: 3")).await;
    assert_eq!(emails(&other), ["amina@safari.example"]);
    let other = world.ask_accounts(stranger, &page(&format!("first: 3, after: \"{cursor}\""))).await;
    assert_eq!(messages(&other), ["The cursor is not one of this list's."]);
}

async fn the_worst_subscription_shows_on_the_business(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.sell_in(&["KES"]).await;
    let owner = world.register("wanjiru@baraka.example").await.caller;
    let stranger = world.register("amina@safari.example").await.caller;
    let no = if world.database.kind == crate::database::Kind::Sqlite { "0" } else { "false" };
    let (business, product, plan) =
        (world.uuid_literal(owner.scope().unwrap().business().uuid().as_u128()), world.uuid_literal(1), world.uuid_literal(2));
    let at = "'2027-01-01T00:00:00+00:00'";
    let mut expected = "NONE";
    // Of one product one alone may be live, so the worst of two is of two that ended and one that lives.
    for (id, status, shown) in [(31, "EXPIRED", "CANCELED"), (32, "CANCELED", "CANCELED"), (33, "PAST_DUE", "PAST_DUE")] {
        let seen = world.ask_accounts(owner, "{ profile { subscriptionStatus } }").await;
        assert_eq!(seen["data"]["profile"]["subscriptionStatus"], expected);
        let id = world.uuid_literal(id);
        world
            .run_sql(&format!(
                "insert into subscriptions (business_id, id, product_id, plan_id, plan_version, billing_interval, currency, price_minor,
                   charged_price_minor, tax_behavior, status, anchor_mode, anchor_date, anchor_time, granularity, period_number, started_at,
                   period_start, period_end, auto_renewal, version, created_at, updated_at, charged_from, dunning_taken, dunning_hard)
                 values ({business}, {id}, {product}, {plan}, 2, 'MONTHLY', 'KES', 4990, null, 'EXCLUSIVE', '{status}', 'ANNIVERSARY',
                   '2027-01-01', '00:00:00', 'DAY', 1, {at}, {at}, '2027-02-01T00:00:00+00:00', {no}, 1, {at}, {at}, 1, 0, {no})"
            ))
            .await;
        expected = shown;
    }
    let seen = world.ask_accounts(owner, "{ profile { subscriptionStatus } }").await;
    assert_eq!(seen["data"]["profile"]["subscriptionStatus"], expected);
    let other = world.ask_accounts(stranger, "{ profile { subscriptionStatus } }").await;
    assert_eq!(other["data"]["profile"]["subscriptionStatus"], "NONE");
}
