//! A customer's whole way through the API over HTTP: register, subscribe, pay, upgrade, look around, cancel, leave.
//!
//! ```text
//! cargo run                           # the server, in one terminal
//! cargo run --example main_job        # this, in another; --url names another server
//! ```
//!
//! It uses nothing of the server's code, so that it can be copied. It prints each step and stops with one sentence and
//! exit code 1 at the first thing that is not as it should be. Amounts are strings and whole minor units, never floats.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it shows what it does")]

#[path = "main_job/api.rs"]
mod api;

use std::process::ExitCode;

use clap::Parser;
use serde_json::{Value, json};

use self::api::{Api, CreditNote, Invoice, Money, Outcome, Payment, PaymentStatus, Session, Subscription, fresh, stop};

/// Takes a new business through the whole API.
#[derive(Parser)]
struct Arguments {
    /// The server
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Arguments::parse().url).await {
        Ok(()) => {
            println!("\nEverything is as it should be.");
            ExitCode::SUCCESS
        }
        Err(sentence) => {
            eprintln!("\nStopped: {sentence}");
            ExitCode::FAILURE
        }
    }
}

/// The whole way, on the server at `url`.
pub(crate) async fn run(url: &str) -> Outcome<()> {
    let mut api = Api::at(url)?;
    sign_up(&mut api).await?;
    let (plan, upgrade) = choose_plans(&api).await?;
    add_payment_method(&api).await?;
    let subscription = subscribe(&api, &plan).await?;
    let subscription = change_plan(&api, subscription, &upgrade).await?;
    look_around(&api, &subscription).await?;
    cancel_and_think_better_of_it(&api, &subscription).await?;
    cancel_now(&api, &subscription).await?;
    leave(&mut api).await
}

/// Registers a business that no one has registered, and signs its owner in.
async fn sign_up(api: &mut Api) -> Outcome<()> {
    step("Register a business and its owner");
    let (name, password) = (fresh(), format!("example-{}", fresh()));
    let email = format!("amina-{name}@example.com");
    let registered = api
        .payload(
            "Register",
            json!({ "input": {
                "businessName": format!("Amani Traders {name}"), "businessEmail": format!("office-{name}@example.com"),
                "industry": "Retail", "companySize": "SIZE_11_50", "country": "KE", "postalCode": "00100",
                "fullName": "Amina Otieno", "email": email, "password": password,
            } }),
        )
        .await?;
    show(&format!("{} pays in {}", text(&registered, "/business/businessName")?, text(&registered, "/business/currency")?));

    step("Sign in");
    let signed_in = api.payload("SignIn", json!({ "input": { "email": email, "password": password } })).await?;
    let session: Session = read(&signed_in, "/session")?;
    show(&format!("the access token is good until {}", session.access_token_expires_at));
    api.use_session(session);

    step("Who am I?");
    let viewer = api.data("Viewer", json!({})).await?;
    let role = text(&viewer, "/viewer/role")?;
    show(&format!("{} <{}>, {role}", text(&viewer, "/viewer/user/fullName")?, text(&viewer, "/viewer/user/email")?));
    same("the e-mail address", text(&viewer, "/viewer/user/email")?, &email)?;
    same("the role of who registered", role, "OWNER")
}

/// A plan that anybody may have, and a dearer one of the same product: the cheapest such pair.
async fn choose_plans(api: &Api) -> Outcome<(Offer, Offer)> {
    step("What is on sale?");
    let answer = api.data("Products", json!({})).await?;
    let products: Vec<Product> = read(&answer, "/products")?;
    let mut best: Option<(Offer, Offer)> = None;
    for product in products {
        println!("   {}", product.name);
        let mut open: Vec<Offer> = Vec::new();
        for plan in product.plans {
            let price = plan.price.as_ref().map_or_else(|| "not sold by the month".to_owned(), |price| format!("{price} a month"));
            println!("     {}: {price}{}", plan.name, if plan.requires_verification { ", for verified businesses" } else { "" });
            if let (Some(price), false) = (plan.price, plan.requires_verification) {
                open.push(Offer { id: plan.id, name: plan.name, price });
            }
        }
        open.sort_by_key(|offer| offer.price.minor_units);
        let mut open = open.into_iter();
        if let (Some(plan), Some(upgrade)) = (open.next(), open.next()) {
            let cheaper = best.as_ref().is_none_or(|(found, _)| plan.price.minor_units < found.price.minor_units);
            if cheaper && plan.price.minor_units < upgrade.price.minor_units {
                best = Some((plan, upgrade));
            }
        }
    }
    best.map_or_else(|| stop("no product on sale has two plans that need no verification"), Ok)
}

#[derive(serde::Deserialize)]
struct Product {
    name: String,
    plans: Vec<Plan>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Plan {
    id: String,
    name: String,
    price: Option<Money>,
    requires_verification: bool,
}

/// A plan that this business can have.
struct Offer {
    id: String,
    name: String,
    price: Money,
}

async fn add_payment_method(api: &Api) -> Outcome<()> {
    step("Add a payment method");
    let input = json!({ "input": { "source": { "sandbox": "SUCCEEDS" } } });
    let added = api.payload("AddPaymentMethod", input).await?;
    show(text(&added, "/paymentMethod/label")?);
    same("whether it is the default method", &read::<bool>(&added, "/paymentMethod/isDefault")?, &true)
}

/// Previews, subscribes, and holds the bill to the preview.
async fn subscribe(api: &Api, plan: &Offer) -> Outcome<Subscription> {
    step(&format!("What would {} cost?", plan.name));
    let mut input = json!({ "planId": plan.id, "interval": "MONTHLY", "trial": false });
    let previewed = api.payload("SubscribePreview", json!({ "input": input })).await?;
    let preview: Invoice = read(&previewed, "/preview")?;
    print!("{}", preview.table());

    step(&format!("Subscribe to {}", plan.name));
    input["previewToken"] = json!(text(&previewed, "/previewToken")?);
    // Made once per order and sent again with every retry of it: a lost answer never means a second order.
    input["idempotencyKey"] = json!(fresh());
    let subscribed = api.payload("Subscribe", json!({ "input": input })).await?;
    let payment = settled(api, read(&subscribed, "/payment")?).await?;
    show(&format!("paid {} with {}, receipt {}", payment.amount, payment.method_label, payment.receipt.as_deref().unwrap_or("none")));

    step("The same order once more, as after an answer that was lost");
    let again = api.payload("Subscribe", json!({ "input": input })).await?;
    for path in ["/subscription/id", "/invoice/id", "/payment/id"] {
        same(path, text(&again, path)?, text(&subscribed, path)?)?;
    }
    show("nothing new: the same subscription, invoice and payment");

    step("The paid invoice");
    let invoice = paid_invoice(api, text(&subscribed, "/invoice/id")?, &payment).await?;
    invoice.is_what_was_previewed(&preview)?;
    let subscription = current(api, text(&subscribed, "/subscription/id")?).await?;
    same("the subscription's status", subscription.status.as_str(), "ACTIVE")?;
    same("the agreed price", &subscription.price, &plan.price)?;
    Ok(subscription)
}

/// Previews an upgrade at once, makes it with the preview's token, and holds the bill to the preview.
async fn change_plan(api: &Api, subscription: Subscription, upgrade: &Offer) -> Outcome<Subscription> {
    step(&format!("What would the change to {} cost?", upgrade.name));
    let mut input = json!({ "subscriptionId": subscription.id, "planId": upgrade.id, "timing": "NOW" });
    let previewed = api.payload("ChangePlanPreview", json!({ "input": input })).await?;
    let preview: Invoice = read(&previewed, "/preview")?;
    print!("{}", preview.table());

    step(&format!("Change to {}", upgrade.name));
    input["previewToken"] = json!(text(&previewed, "/previewToken")?);
    input["ifVersion"] = json!(subscription.version);
    input["idempotencyKey"] = json!(fresh());
    let changed = api.payload("ChangePlan", json!({ "input": input })).await?;
    let payment = settled(api, read(&changed, "/payment")?).await?;
    let invoice = paid_invoice(api, text(&changed, "/invoice/id")?, &payment).await?;
    invoice.is_what_was_previewed(&preview)?;
    let changed = current(api, &subscription.id).await?;
    same("the plan", &changed.plan.id, &upgrade.id)?;
    same("the agreed price", &changed.price, &upgrade.price)?;
    Ok(changed)
}

/// The dashboard, and the payments.
async fn look_around(api: &Api, subscription: &Subscription) -> Outcome<()> {
    step("The dashboard");
    let dashboard = api.data("Dashboard", json!({})).await?;
    same("the business's status", text(&dashboard, "/profile/subscriptionStatus")?, "ACTIVE")?;
    let found: Vec<Subscription> = read(&dashboard, "/subscriptions/nodes")?;
    let [found] = found.as_slice() else { return stop(format!("there are {} subscriptions, not one", found.len())) };
    same("the subscription", &found.id, &subscription.id)?;
    show(&format!("{} at {} until {}", found.plan.name, found.price, found.current_period.end));
    let invoices: Vec<Invoice> = read(&dashboard, "/invoices/nodes")?;
    for invoice in &invoices {
        invoice.adds_up()?;
        show(&format!("{}: {}", invoice.number.as_deref().unwrap_or("a draft"), invoice.total));
    }
    same("how many invoices there are", &invoices.len(), &2)?;

    step("Payments");
    let answer = api.data("Payments", json!({})).await?;
    let payments: Vec<Payment> = read(&answer, "/payments/nodes")?;
    for payment in &payments {
        show(&format!("{} {:?}", payment.amount, payment.status));
    }
    let taken =
        payments.iter().filter(|payment| payment.status == PaymentStatus::Succeeded).map(|payment| payment.amount.minor_units).sum();
    let paid: i64 = invoices.iter().filter_map(|invoice| invoice.amount_paid.as_ref()).map(|paid| paid.minor_units).sum();
    same("what all payments took, and what all invoices say was paid", &taken, &paid)
}

async fn cancel_and_think_better_of_it(api: &Api, subscription: &Subscription) -> Outcome<()> {
    step("Cancel at the end of the period");
    let input = json!({ "subscriptionId": subscription.id, "reason": "Trying it out", "idempotencyKey": fresh() });
    let canceled = api.payload("Cancel", json!({ "input": input })).await?;
    let canceled: Subscription = read(&canceled, "/subscription")?;
    same("the status, access going on", canceled.status.as_str(), "ACTIVE")?;
    same("when it ends", canceled.cancel_at.as_deref().unwrap_or("never"), &canceled.current_period.end)?;
    show(&format!("access goes on until {}", canceled.current_period.end));

    step("Reactivate");
    let reactivated = api.payload("Reactivate", json!({ "input": { "subscriptionId": subscription.id } })).await?;
    let reactivated: Subscription = read(&reactivated, "/subscription")?;
    same("when it ends", reactivated.cancel_at.as_deref().unwrap_or("never"), "never")?;
    same("whether it renews", &reactivated.auto_renewal, &true)?;
    show("it renews as if nothing had been");
    Ok(())
}

/// Ends the subscription at once; the time that is paid and not used becomes account credit.
async fn cancel_now(api: &Api, subscription: &Subscription) -> Outcome<()> {
    step("Cancel now, the unused time as account credit");
    let input = json!({ "subscriptionId": subscription.id, "timing": "NOW", "unusedTime": "CREDIT", "idempotencyKey": fresh() });
    let canceled = api.payload("Cancel", json!({ "input": input })).await?;
    same("the status", read::<Subscription>(&canceled, "/subscription")?.status.as_str(), "CANCELED")?;
    let notes: Vec<CreditNote> = read(&canceled, "/creditNotes")?;
    if notes.is_empty() {
        return stop("nothing was credited for a period that had just begun");
    }
    for note in &notes {
        show(&format!("credit note {}: {}", note.number, note.amount));
        let parts = [&note.took_off_amount_due, &note.to_account_credit, &note.to_refund];
        same("where the note's amount went", &parts.iter().map(|part| part.minor_units).sum(), &note.amount.minor_units)?;
    }
    let profile = api.data("Balance", json!({})).await?;
    let balance: Money = read(&profile, "/profile/balance")?;
    show(&format!("account credit: {balance}"));
    let credited: i64 = notes.iter().map(|note| note.to_account_credit.minor_units).sum();
    same("the account credit, and the sum of the notes", &balance.minor_units, &credited)
}

async fn leave(api: &mut Api) -> Outcome<()> {
    step("Refresh the session");
    let refresh = |token: &str| json!({ "input": { "refreshToken": token } });
    let refreshed = api.payload("RefreshSession", refresh(api.refresh_token())).await?;
    let session: Session = read(&refreshed, "/session")?;
    show(&format!("the new access token is good until {}", session.access_token_expires_at));
    let last = session.refresh_token.clone();
    api.use_session(session);

    step("Sign out");
    api.payload("SignOut", json!({ "input": {} })).await?;
    api.forget_session();
    match api.payload("RefreshSession", refresh(&last)).await {
        Ok(_) => stop("the session could be refreshed after signing out"),
        Err(refusal) => {
            show(&format!("the session is over ({refusal})"));
            Ok(())
        }
    }
}

/// Waits until a payment is over. A card's is when the mutation answers; a phone's prompt takes its time.
async fn settled(api: &Api, payment: Payment) -> Outcome<Payment> {
    const MOST_LOOKS: u32 = 60;
    let mut payment = payment;
    let mut looks = tokio::time::interval(std::time::Duration::from_secs(1));
    for _ in 0..MOST_LOOKS {
        match payment.status {
            PaymentStatus::Succeeded => return Ok(payment),
            PaymentStatus::Pending | PaymentStatus::Unknown | PaymentStatus::RequiresAction => {
                looks.tick().await;
                payment = read(&api.data("Payment", json!({ "id": payment.id })).await?, "/payment")?;
            }
            _ => return stop(format!("the payment is {:?}: {}", payment.status, payment.failure_message.unwrap_or_default())),
        }
    }
    stop(format!("the payment is still {:?} after {MOST_LOOKS} seconds", payment.status))
}

/// Reads an invoice, shows it, and holds it to its own sums and to its payment.
async fn paid_invoice(api: &Api, id: &str, payment: &Payment) -> Outcome<Invoice> {
    let invoice: Invoice = read(&api.data("Invoice", json!({ "id": id })).await?, "/invoice")?;
    print!("{}", invoice.table());
    invoice.adds_up()?;
    same("the invoice's status", invoice.status.as_deref().unwrap_or("none"), "PAID")?;
    same("what is still due", &invoice.amount_due.minor_units, &0)?;
    same("what the invoice says was paid", &invoice.amount_paid.as_ref(), &Some(&payment.amount))?;
    Ok(invoice)
}

/// The subscription as it stands.
async fn current(api: &Api, id: &str) -> Outcome<Subscription> {
    let answer = api.data("Subscription", json!({ "id": id })).await?;
    read(&answer, "/node")
}

fn step(title: &str) {
    println!("\n== {title}");
}

fn show(line: &str) {
    println!("   {line}");
}

fn text<'a>(value: &'a Value, path: &str) -> Outcome<&'a str> {
    value.pointer(path).and_then(Value::as_str).map_or_else(|| stop(format!("the answer has no text at {path}: {value}")), Ok)
}

fn read<T: serde::de::DeserializeOwned>(value: &Value, path: &str) -> Outcome<T> {
    let found = value.pointer(path).unwrap_or(&Value::Null);
    serde_json::from_value(found.clone()).or_else(|error| stop(format!("what the answer has at {path} cannot be read ({error}): {found}")))
}

/// Stops where something is not what it should be.
fn same<T: PartialEq + std::fmt::Debug + ?Sized>(what: &str, is: &T, should_be: &T) -> Outcome<()> {
    if is == should_be { Ok(()) } else { stop(format!("{what} is {is:?} and should be {should_be:?}")) }
}
