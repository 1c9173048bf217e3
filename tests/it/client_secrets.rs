//! What a customer's browser finishes a payment with: it is shown to whose payment it is, lies sealed, and goes with the payment's end.

use evolve_business::ids::BusinessId;
use evolve_business::security::envelope::KeyId;
use evolve_business::services::access::Caller;
use evolve_business::services::payments::client_secret;
use evolve_business::services::sealing::Rotated;
use evolve_business::store::payments::Payment;
use evolve_business::store::types::StaffRole;
use evolve_business::store::{Snapshot, TenantScope, customers};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::stripe_simulator::{Card, Simulator};
use crate::world::World;
use crate::world_catalog::Statements;
use crate::world_lives::register;
use crate::world_payments::Payer;
use crate::world_staff_money::JUNE;

both!(
    a_client_secret_is_shown_to_whose_it_is_lies_sealed_and_goes_with_the_payments_end,
    a_client_secret_of_an_older_version_is_shown_and_sealed_by_the_next_rotation,
    client_secrets_of_many_payments_open_by_one_statement_more,
);

/// What the customer's application asks for.
const SHOWN: &str = "{ payments(first: 10) { nodes { status action { kind clientSecret } } } }";

impl World {
    /// The client secret of a payment, opened.
    pub(crate) async fn client_secret(&self, payment: &Payment) -> Option<String> {
        let view = Snapshot::new(self.ports.store.clone(), Some(TenantScope::proved(payment.business_id)));
        let business = customers::business(&view.tenant().await.unwrap()).await.unwrap();
        client_secret(&self.ports, &business, payment).unwrap()
    }
}

/// A world with Stripe, its server, and somebody who owes a payment that their bank asks about; and its client secret.
struct Waiting {
    world: World,
    simulator: Simulator,
    server: Server,
    ann: Client,
    secret: String,
    payer: Payer,
}

impl Waiting {
    async fn at(world: World) -> Self {
        let simulator = Simulator::start().await;
        let world = world.with_stripe(&simulator);
        let server = Server::start(&world).await;
        let (ann, business) = register(&server, "ann").await;
        let card = json!({ "source": { "cardToken": simulator.card(Card::Authenticates) } });
        ann.mutate("addPaymentMethod", card, "paymentMethod { id }").await;
        let plan = world.plan("books", "basic").await.to_string();
        let input = json!({ "planId": plan, "interval": "MONTHLY", "idempotencyKey": "one" });
        let bought = world.working(ann.mutate("subscribe", input, "payment { action { kind clientSecret url } }")).await;
        let action = &bought["payment"]["action"];
        assert_eq!((&action["kind"], &action["url"]), (&json!("CLIENT_SECRET"), &Value::Null), "{bought:#}");
        let secret = action["clientSecret"].as_str().unwrap().to_owned();
        let payer = Payer { scope: TenantScope::proved(BusinessId::parse(&business).unwrap()), caller: Caller::Anonymous };
        Self { world, simulator, server, ann, secret, payer }
    }

    /// That ann is shown it.
    async fn is_shown(&self) {
        let expected = json!({ "kind": "CLIENT_SECRET", "clientSecret": self.secret });
        assert_eq!(self.ann.data(SHOWN, json!({})).await["payments"]["nodes"][0]["action"], expected);
    }

    /// That it lies nowhere in the row as it is, and what lies there instead.
    async fn lies_sealed(&self) -> Vec<u8> {
        assert_eq!(self.world.count("payments", "action_client_secret is null").await, 1);
        let found = self.world.read_bytes("select action_client_secret_sealed from payments").await.remove(0).unwrap();
        assert!(!String::from_utf8_lossy(&found).contains(&self.secret));
        // 1 version + 8 key id + 24 nonce + 16 tag
        assert_eq!(found.len(), 49 + self.secret.len());
        found
    }
}

async fn a_client_secret_is_shown_to_whose_it_is_lies_sealed_and_goes_with_the_payments_end(db: TestDatabase) {
    let waiting = Waiting::at(World::shop_at(db, JUNE).await).await;
    let Waiting { world, simulator, server, ann, secret, .. } = &waiting;
    let first = waiting.lies_sealed().await;
    waiting.is_shown().await;
    // Nobody else is shown it but staff, who read what a customer's payment waits for as the customer does.
    let (ben, _) = register(server, "ben").await;
    assert_eq!(ben.data(SHOWN, json!({})).await["payments"]["nodes"], json!([]));
    let staff = world.staff(server, StaffRole::Admin).await;
    let read = staff.data(SHOWN, json!({})).await;
    assert_eq!(read["payments"]["nodes"][0]["action"]["clientSecret"], json!(secret));
    // Under a new key it lies otherwise, and is the same.
    world.advance(SignedDuration::from_secs(1));
    // Ann's key and ben's.
    assert_eq!(world.rotate(true).await, Rotated { replaced: 2, ..Rotated::default() });
    let anew = waiting.lies_sealed().await;
    assert_ne!(KeyId::of_sealed(&first), KeyId::of_sealed(&anew));
    waiting.is_shown().await;
    // The bank is content, and it is of no use any more.
    simulator.act(true);
    for event in simulator.events() {
        assert_eq!(world.tell(server, &event).await, 200);
    }
    world.run_due_jobs().await;
    let paid = json!([{ "status": "SUCCEEDED", "action": null }]);
    assert_eq!(ann.data(SHOWN, json!({})).await["payments"]["nodes"], paid);
    assert_eq!(world.count("payments", "action_client_secret is null and action_client_secret_sealed is null").await, 1);
    assert_eq!(world.examine().await, [""; 0]);
}

async fn a_client_secret_of_an_older_version_is_shown_and_sealed_by_the_next_rotation(db: TestDatabase) {
    let waiting = Waiting::at(World::shop_at(db, JUNE).await).await;
    let (world, secret) = (&waiting.world, &waiting.secret);
    let older = format!("update payments set action_client_secret = '{secret}', action_client_secret_sealed = null");
    for (reseal, expected) in
        [(false, Rotated { sealed: 1, ..Rotated::default() }), (true, Rotated { sealed: 1, replaced: 1, ..Rotated::default() })]
    {
        assert_eq!(world.run_sql(&older).await, 1);
        waiting.is_shown().await;
        world.advance(SignedDuration::from_secs(1));
        assert_eq!(world.rotate(reseal).await, expected);
        waiting.lies_sealed().await;
        waiting.is_shown().await;
        assert_eq!(world.rotate(false).await, Rotated::default(), "there is nothing left to do");
    }
    // One that nobody rotated for goes all the same when its payment is no longer waited for.
    assert_eq!(world.run_sql(&older).await, 1);
    world.pass(SignedDuration::from_mins(60)).await;
    assert_eq!(world.count("payments", "status = 'CANCELED' and action_client_secret is null").await, 1);
}

async fn client_secrets_of_many_payments_open_by_one_statement_more(db: TestDatabase) {
    let statements = Statements::default();
    let world = World::with(db, JUNE, |options| options.observer = Some(statements.observer())).await;
    world.set_up_shop("", "").await;
    let waiting = Waiting::at(world).await;
    let world = &waiting.world;
    let counted = async |document: &str| {
        statements.clear();
        let shown = waiting.ann.data(document, json!({})).await;
        (statements.texts().len(), shown)
    };
    let without = "{ payments(first: 10) { nodes { status action { kind } } } }";
    let (plain, _) = counted(without).await;
    let (one, _) = counted(SHOWN).await;
    assert_eq!(one, plain + 1, "the business, for its key");
    let (mut secrets, payer) = (vec![waiting.secret.clone()], waiting.payer);
    for due in [500, 700, 900] {
        let input = json!({ "invoiceId": world.invoice(payer, due).await.to_string(), "idempotencyKey": due.to_string() });
        let paid = world.working(waiting.ann.mutate("payInvoice", input, "payment { action { clientSecret } }")).await;
        secrets.push(paid["payment"]["action"]["clientSecret"].as_str().unwrap().to_owned());
    }
    let (four, shown) = counted(SHOWN).await;
    let nodes = shown["payments"]["nodes"].as_array().unwrap();
    let mut opened: Vec<&str> = nodes.iter().map(|node| node["action"]["clientSecret"].as_str().unwrap()).collect();
    secrets.sort_unstable();
    opened.sort_unstable();
    assert_eq!((four, opened), (one, secrets.iter().map(String::as_str).collect()));
    secrets.dedup();
    assert_eq!(secrets.len(), 4);
}
