//! Whatever is stored sealed, changed or put elsewhere by somebody who can write to the database: it opens nowhere, and nothing is taken
//! for what it was. And each column of each row of the audit trail.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use evolve_business::adapters::payment::registry::Gateways;
use evolve_business::services::{Parts, Ports, audit};
use evolve_business::store::types::StaffRole;
use serde_json::json;

use crate::client::{Client, Server};
use crate::database::{Kind, TestDatabase};
use crate::mpesa_adapter;
use crate::mpesa_simulator::Daraja;
use crate::stripe_adapter;
use crate::stripe_simulator::{Card, Simulator};
use crate::two_factor::Device;
use crate::world::World;
use crate::world_lives::{PASSWORD, plans, register};

const NOW: &str = "2027-01-31T09:00:00Z";
const TAX_ID: &str = "P051234567X";
const PHONE: &str = "+254712345678";
const NUMBER: &str = "PVT-7Y8X9Z";

both!(a_stored_ciphertext_that_was_changed_cut_or_moved_opens_nowhere, each_column_of_each_row_of_the_trail_is_held_by_its_chain,);

/// Where something is stored sealed, and by what it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opened {
    /// By this document, which answers a fault then.
    By(&'static str),
    /// By signing in with a second factor.
    BySignIn,
    /// By the operator's `keys rotate`, which says so.
    ByRotation,
}

/// Every column that is stored sealed.
const SEALED: [(&str, Opened); 12] = [
    ("businesses.phone_sealed", Opened::By("{ profile { phone } }")),
    ("businesses.tax_id_sealed", Opened::By("{ profile { taxId } }")),
    ("businesses.wrapped_key", Opened::By("{ profile { taxId } }")),
    ("businesses.previous_wrapped_key", Opened::By("{ profile { taxId } }")),
    ("invoices.billed_tax_id_sealed", Opened::By("{ invoices(first: 5) { nodes { billedTo { taxId } } } }")),
    ("payment_methods.reference_sealed", Opened::ByRotation),
    ("payments.action_client_secret_sealed", Opened::By("{ payments(first: 5) { nodes { action { clientSecret } } } }")),
    ("second_factors.secret_sealed", Opened::BySignIn),
    ("second_factors.wrapped_key", Opened::BySignIn),
    ("verifications.registration_number_sealed", Opened::By("{ verification { registrationNumber } }")),
    ("webhook_endpoints.previous_secret_sealed", Opened::ByRotation),
    ("webhook_endpoints.secret_sealed", Opened::ByRotation),
];

impl World {
    /// The same world with Stripe and M-Pesa beside the sandbox.
    fn with_cards_and_phones(self, stripe: &Simulator, daraja: &Daraja) -> Self {
        let sandbox = Arc::new(self.gateway.clone());
        let cards = stripe_adapter::gateway_at(stripe, Duration::from_secs(10));
        let phones = mpesa_adapter::gateway_at(daraja, self.ports.clock.clone());
        let gateways = Gateways::new(vec![sandbox.clone(), Arc::new(cards), Arc::new(phones)]);
        let ports = Ports::new(Parts { gateways, ..self.parts(sandbox) });
        Self { ports, ..self }
    }

    /// Bytes as the database writes them.
    fn bytes(&self, bytes: &[u8]) -> String {
        let digits = bytes.iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"));
        match self.database.kind {
            Kind::Sqlite => format!("x'{digits}'"),
            Kind::Postgres => format!("decode('{digits}', 'hex')"),
        }
    }
}

/// A business with something sealed in every place.
struct Sealed {
    world: World,
    server: Server,
    ann: Client,
    device: Device,
}

impl Sealed {
    async fn at(db: TestDatabase) -> Self {
        let (stripe, daraja) = (Simulator::start().await, Daraja::start().await);
        let world = World::at(db, NOW).await.with_cards_and_phones(&stripe, &daraja);
        world.seed_catalogue().await;
        let server = Server::start(&world).await;
        let (ann, _) = register(&server, "ann").await;
        ann.mutate("updateProfile", json!({ "taxId": TAX_ID, "phone": PHONE }), "business { id }").await;
        ann.submitted().await;
        for source in [json!({ "cardToken": stripe.card(Card::Authenticates) }), json!({ "mpesaPhone": PHONE })] {
            ann.mutate("addPaymentMethod", json!({ "source": source, "makeDefault": false }), "paymentMethod { id }").await;
        }
        // By the card, which came first and is the default, and waits for its bank.
        let input = json!({ "planId": plans(&ann).await["erp"][0], "interval": "MONTHLY", "trial": false, "idempotencyKey": "one" });
        let waits = world.working(ann.mutate("subscribe", input, "payment { action { clientSecret } }")).await;
        assert!(waits["payment"]["action"]["clientSecret"].is_string(), "{waits}");
        let hook = json!({ "url": "https://hooks.example.com/in", "events": ["subscription.plan_changed"] });
        let made = ann.mutate("createWebhookEndpoint", hook, "endpoint { id }").await;
        ann.mutate("rotateWebhookSecret", json!({ "endpointId": made["endpoint"]["id"] }), "secret").await;
        let begun = ann.mutate("beginTwoFactor", json!({ "password": PASSWORD }), "otpauthUrl").await;
        let device = Device::of(begun["otpauthUrl"].as_str().unwrap());
        // A second factor that is confirmed, and a key that was not replaced to its end, since a file was not to be had.
        ann.mutate("confirmTwoFactor", json!({ "otp": device.shows(&world, 0) }), "recoveryCodes").await;
        let (kept, away) = (world.stored_files()[0].clone(), world.stored_files()[0].with_extension("away"));
        std::fs::rename(&kept, &away).unwrap();
        world.advance(jiff::SignedDuration::from_mins(1));
        assert_eq!(world.rotate(true).await.left.len(), 1);
        std::fs::rename(&away, &kept).unwrap();
        Self { world, server, ann, device }
    }

    /// What is answered where it is opened; `Ok` where nothing is wrong with it.
    async fn open(&self, by: Opened) -> Result<(), String> {
        match by {
            Opened::By(document) => {
                let answer = self.ann.ask(document, json!({})).await;
                if answer.get("errors").is_none() {
                    return Ok(());
                }
                assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL", "{answer}");
                Err(answer.to_string())
            }
            Opened::BySignIn => {
                // Other digits each time, since each are good once.
                self.world.advance(jiff::SignedDuration::from_secs(30));
                let input = json!({ "email": "ann@example.com", "password": PASSWORD, "otp": self.device.shows(&self.world, 0) });
                let document = "mutation($i: SignInInput!) { signIn(input: $i) { session { accessToken } userErrors { code } } }";
                let answer = self.server.client().ask(document, json!({ "i": input })).await;
                if answer["data"]["signIn"]["session"]["accessToken"].is_string() {
                    return Ok(());
                }
                assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL", "{answer}");
                Err(answer.to_string())
            }
            Opened::ByRotation => {
                self.world.advance(jiff::SignedDuration::from_secs(1));
                // As if no key was being replaced: everything is opened, and sealed anew.
                let rotated = self.world.rotate(true).await;
                if rotated.left.is_empty() { Ok(()) } else { Err(rotated.left.concat()) }
            }
        }
    }
}

async fn a_stored_ciphertext_that_was_changed_cut_or_moved_opens_nowhere(db: TestDatabase) {
    let sealed = Sealed::at(db).await;
    let world = &sealed.world;
    let found: Vec<String> =
        world.schema().await.into_keys().filter(|name| name.ends_with("_sealed") || name.ends_with("wrapped_key")).collect();
    let listed: BTreeMap<&str, Opened> = SEALED.into_iter().collect();
    assert_eq!(found, listed.keys().copied().collect::<Vec<_>>(), "say by what a sealed column is opened");
    let (by_rotation, others): (Vec<_>, Vec<_>) = SEALED.into_iter().partition(|(_, by)| *by == Opened::ByRotation);
    for (name, by) in others {
        sealed.tampered_with(name, by).await;
    }
    // What was begun is ended: the next rotation opens everything.
    assert_eq!(sealed.open(Opened::ByRotation).await, Ok(()));
    for (name, by) in by_rotation {
        sealed.tampered_with(name, by).await;
    }
}

impl Sealed {
    /// That what stands in a column opens as it is, and not in any other way.
    async fn tampered_with(&self, name: &str, by: Opened) {
        let (sealed, world) = (self, &self.world);
        let (table, column) = name.split_once('.').unwrap();
        assert_eq!(sealed.open(by).await, Ok(()), "{name} opens as it was written");
        let found = world.read_bytes(&format!("select {column} from {table} where {column} is not null")).await;
        let [Some(whole)] = &found[..] else { panic!("{name} is in {} rows", found.len()) };
        let flipped = |at: usize| {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            changed
        };
        let another = if column == "phone_sealed" { "tax_id_sealed" } else { "phone_sealed" };
        let foreign = world.read_bytes(&format!("select {another} from businesses")).await.remove(0).unwrap();
        let mut tampered = vec![("moved", foreign), ("empty", Vec::new()), ("cut", whole[..whole.len() - 1].to_vec())];
        // Version, key id, nonce, text, tag.
        tampered.extend([0, 3, 12, 34, whole.len() - 1].map(|at| ("changed", flipped(at))));
        let put = async |bytes: &[u8]| {
            let put = format!("update {table} set {column} = {} where {column} is not null", world.bytes(bytes));
            assert_eq!(world.run_sql(&put).await, 1);
        };
        for (what, bytes) in tampered {
            put(&bytes).await;
            let Err(said) = sealed.open(by).await else { panic!("{name}, {what}: it opened") };
            assert!([TAX_ID, PHONE, NUMBER].iter().all(|plain| !said.contains(plain)), "{name}, {what}: {said}");
        }
        put(whole).await;
        assert_eq!(sealed.open(by).await, Ok(()), "{name} opens again");
    }
}

/// What is done to a column of a row, past every wall.
const CHANGES: [(&str, &str); 10] = [
    ("id", "{id}"),
    ("sequence", "sequence + 1000000"),
    ("action", "action || '.'"),
    ("actor", "actor || '.'"),
    ("subject", "subject || '.'"),
    ("details", "details || ' '"),
    ("at", "{at}"),
    ("previous_hash", "hash"),
    ("hash", "previous_hash"),
    ("salt", "previous_hash"),
];

async fn each_column_of_each_row_of_the_trail_is_held_by_its_chain(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let payer = world.customer().await;
    world.subscribe(payer, "basic").await;
    world.run_at("2027-06-30T21:00:00Z").await;
    let server = Server::start(&world).await;
    world.staff(&server, StaffRole::Admin).await;
    world.add_staff_named("zoe", StaffRole::Support).await;
    let verify = async || audit::verify(&world.ports.store).await.unwrap().breaks;
    assert_eq!(verify().await, Vec::new());
    for (table, chain) in [("audit_events", Some(payer.scope.business())), ("platform_audit_events", None)] {
        world.run_sql(&format!("create table kept_{table} as select * from {table}")).await;
        let rows = world.number(&format!("select count(*) from {table}")).await;
        assert!(rows >= 2, "{table} has {rows}");
        for row in 1..=rows {
            let columns = CHANGES.iter().filter(|(column, _)| chain.is_some() || *column != "salt");
            let changes = columns.map(|(column, to)| {
                let id = world.uuid_literal(world.ports.ids.next_uuid().as_u128());
                let at = format!("(select max(o.at) from kept_{table} o where o.at <> {table}.at)");
                let other =
                    if world.database.kind == Kind::Sqlite { "'2027-01-01T00:00:00.000000Z'" } else { "at - interval '1 microsecond'" };
                let to = to.replace("{id}", &id).replace("{at}", if chain.is_some() { &at } else { other });
                (*column, format!("update {table} set {column} = {to} where sequence = {row}"))
            });
            let changes: Vec<(&str, String)> = changes.chain([("row", format!("delete from {table} where sequence = {row}"))]).collect();
            for (column, change) in changes {
                assert_eq!(world.run_sql(&change).await, 1, "{change}");
                let breaks = verify().await;
                let [found] = &breaks[..] else { panic!("{table} {row} {column}: {breaks:#?}") };
                assert_eq!((found.chain, found.after), (chain, row - 1), "{table} {column}: {}", found.what);
                world.run_sql(&format!("delete from {table}")).await;
                world.run_sql(&format!("insert into {table} select * from kept_{table}")).await;
            }
        }
        assert_eq!(verify().await, Vec::new());
    }
}
