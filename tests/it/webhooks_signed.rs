//! What signs webhooks: by the reference library of another language, and by two secrets while one takes the other's place.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evolve_business::clock::{Clock as _, SystemClock};
use evolve_business::security::webhook_secret::WebhookSecret;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::database::TestDatabase;
use crate::world_webhooks::Told;

both!(
    a_signature_is_verified_by_the_reference_library_of_another_language,
    both_secrets_sign_for_24_hours_after_a_rotation,
    a_receiver_whose_certificate_nobody_vouches_for_is_told_nothing,
);

/// A Python that knows a module; none, said loudly, where there is none. Under CI that fails.
fn python_with(module: &str) -> Option<Command> {
    let python = std::env::var("EVOLVE_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python).args(["-c", &format!("import {module}")]).stderr(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        return Some(Command::new(python));
    }
    assert!(std::env::var_os("CI").is_none(), "no {module} under CI: {python} does not know it");
    let line =
        format!("\n!!! SKIPPED: a test of webhooks did nothing: {python} has no {module}; name one that has by EVOLVE_TEST_PYTHON.\n\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    None
}

/// A script beside these tests.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/webhooks").join(name)
}

/// What the library says of each.
fn verified(lines: &[Value]) -> Option<Vec<String>> {
    let mut child = python_with("standardwebhooks")?.arg(script("verify.py")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let asked = lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    child.stdin.take().unwrap().write_all(asked.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    assert!(said.status.success());
    Some(String::from_utf8(said.stdout).unwrap().lines().map(str::to_owned).collect())
}

async fn a_signature_is_verified_by_the_reference_library_of_another_language(db: TestDatabase) {
    // The library takes no call that is older than five minutes.
    let told = Told::at(db, &SystemClock.now().to_string()).await;
    let (id, old) = told.endpoint("/").await;
    told.change_plans(&["Größe “A” \\ /"]).await;
    told.world.run_due_jobs().await;
    let rotated = told.ann.mutate("rotateWebhookSecret", json!({ "endpointId": id }), "secret").await;
    let new = rotated["secret"].as_str().unwrap().to_owned();
    told.change_plans(&["B"]).await;
    told.world.run_due_jobs().await;
    let came = told.receiver.came();
    let line = |secret: &str, at: usize, body: &str| json!({ "secret": secret, "headers": came[at].headers, "body": body });
    let (first, second) = (came[0].body.as_str(), came[1].body.as_str());
    let lines = [
        line(&old, 0, first),
        line(&new, 0, first),
        line(&old, 0, &first.replace("Größe", "Grösse")),
        line(&old, 0, second),
        line(&new, 1, second),
        line(&old, 1, second),
    ];
    let Some(said) = verified(&lines) else { return };
    let (taken, refused) = ("subscription.plan_changed", "refused: No matching signature found");
    assert_eq!(said, [taken, refused, refused, refused, taken, taken]);
}

/// The secret of a text.
fn secret(text: &str) -> WebhookSecret {
    WebhookSecret::from_bytes(&STANDARD.decode(text.strip_prefix("whsec_").unwrap()).unwrap()).unwrap()
}

/// The signatures of the newest call, and what these secrets would have signed.
async fn signed(told: &Told, secrets: &[&String]) -> (String, String) {
    told.change_plans(&["A"]).await;
    told.world.run_due_jobs().await;
    let came = told.receiver.came().pop().unwrap();
    let sign = |text: &&String| secret(text).sign(came.id(), &came.headers["webhook-timestamp"], &came.body);
    (came.headers["webhook-signature"].clone(), secrets.iter().map(sign).collect::<Vec<_>>().join(" "))
}

async fn both_secrets_sign_for_24_hours_after_a_rotation(db: TestDatabase) {
    let mut told = Told::at(db, "2027-01-31T09:00:00Z").await;
    let (id, first) = told.endpoint("/").await;
    let rotate = async |told: &Told| {
        let rotated = told.ann.mutate("rotateWebhookSecret", json!({ "endpointId": id }), "secret").await;
        rotated["secret"].as_str().unwrap().to_owned()
    };
    let (sent, own) = signed(&told, &[&first]).await;
    assert_eq!(sent, own);
    let second = rotate(&told).await;
    assert_ne!(first, second);
    let (sent, own) = signed(&told, &[&second, &first]).await;
    assert_eq!(sent, own, "the present one first");
    told.world.pass(SignedDuration::from_hours(24) - SignedDuration::from_secs(1)).await;
    let (sent, own) = signed(&told, &[&second, &first]).await;
    assert_eq!(sent, own);
    told.world.pass(SignedDuration::from_secs(1)).await;
    let (sent, own) = signed(&told, &[&second]).await;
    assert_eq!(sent, own);
    // Of two rotations in a day the last two secrets sign, and no third.
    told.come_back().await;
    let third = rotate(&told).await;
    let fourth = rotate(&told).await;
    let (sent, own) = signed(&told, &[&fourth, &third]).await;
    assert_eq!(sent, own);
    let acts = told.world.read_texts("select action from audit_events where action = 'webhook_endpoint.secret_rotated'").await;
    assert_eq!(acts.len(), 3);
    let stored = told.world.read_bytes("select secret_sealed from webhook_endpoints").await;
    let bytes = STANDARD.decode(fourth.strip_prefix("whsec_").unwrap()).unwrap();
    assert!(!stored[0].as_ref().unwrap().windows(32).any(|part| part == bytes), "no secret lies open");
}

async fn a_receiver_whose_certificate_nobody_vouches_for_is_told_nothing(db: TestDatabase) {
    let Some(mut python) = python_with("ssl") else { return };
    let mut receiver = python.arg(script("tls.py")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(receiver.stdout.take().unwrap()).lines();
    let first = said.next().unwrap().unwrap();
    let port = first.strip_prefix("port ").unwrap();
    let told = Told::at(db, "2027-01-31T09:00:00Z").await;
    let input = json!({ "url": format!("https://localhost:{port}/hook"), "events": ["subscription.plan_changed"] });
    told.ann.mutate("createWebhookEndpoint", input, "endpoint { id }").await;
    told.change_plans(&["A"]).await;
    told.world.run_due_jobs().await;
    let one = told.shown().await[0]["deliveries"]["nodes"][0].take();
    assert_eq!((&one["status"], &one["error"]), (&json!("PENDING"), &json!("The host could not be reached.")), "{one:#}");
    drop(receiver.stdin.take());
    receiver.wait().unwrap();
    assert_eq!(said.map(Result::unwrap).collect::<Vec<_>>(), Vec::<String>::new());
}
