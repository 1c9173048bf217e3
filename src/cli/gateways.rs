//! `gateways`: Stripe and Daraja on this machine, for whoever tries a sandbox out.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{shutdown, terminal};
use crate::adapters::payment::simulator::courier::{Courier, CourierOptions, DELAY, PAUSES};
use crate::adapters::payment::simulator::daraja::{self, DarajaSimulator};
use crate::adapters::payment::simulator::stripe::{self, StripeSimulator};
use crate::adapters::payment::simulator::{Options, Simulation, is_here};
use crate::clock::SystemClock;
use crate::config::{Mode, Settings};
use crate::error::Cause;
use crate::http::server::{self, ServerLimits, Stopped};
use crate::http::stripe_events;
use crate::security::random::{Rng, SystemRng};

/// Where it listens where nothing is said.
const LISTEN: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 8090);
/// How many of each thing are remembered.
const MOST: usize = 10_000;
/// When a request that is late arrives.
const LATE: Duration = Duration::from_secs(10);
/// How many connections there may be: those of one server and of whoever tries it out.
const MAX_CONNECTIONS: usize = 256;
/// How long requests in flight may take when it is told to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// What `gateways --help` says: of the settings it needs one alone, which is told here.
pub(super) const HELP: &str = "\
{about-with-newline}
{usage-heading} {usage}

Options:
  --listen <ADDRESS>  Listen on this address of this machine [env: EVOLVE_LISTEN] [default: 127.0.0.1:8090]
  --server <URL>      Where the sandbox server is that is told of events [default: http://127.0.0.1:8080]
{after-help}";

/// How it is called.
pub(super) const USAGE: &str = "evolve-business gateways [--listen <ADDRESS>] [--server <URL>]";

/// What it is, for those who read `--help`.
pub(super) const AFTER_HELP: &str = "\
Serves as much of Stripe and of Safaricom's Daraja as the program asks of them, under /v1/, /mpesa/ and /oauth/. Nothing is charged, no
account is needed, and nothing is kept on disk. At its start it prints the environment for a sandbox server. It tells that server by
itself what became of charges, as Stripe and Daraja do. Under /simulator/ it shows what was truly charged, and has things go wrong:

  GET  /simulator/ledger   what was charged, refunded, disputed, prompted for, paid and reversed, and what was told of it
  POST /simulator/faults   {\"gateway\":\"stripe\",\"requests\":[\"answer_lost\"],\"callbacks\":[\"duplicate\"],\"lost_percent\":0}
  POST /simulator/act      {\"does\":\"passes_check\"}, {\"does\":\"pays\",\"phone\":\"254712345605\"}, …

docs/gateways.md has all of it, with the cards and the phones to try.";

/// Serves both until a signal.
pub(super) async fn run(settings: Settings, listen: Option<SocketAddr>, server: &str) -> Result<(), Cause> {
    let stop = shutdown::signal()?;
    let listen = listen.unwrap_or_else(|| LISTEN.into());
    check(settings.mode, listen, server)?;
    let listener = TcpListener::bind(listen).await.map_err(|error| format!("Cannot listen on {listen}: {error}"))?;
    let stopping = CancellationToken::new();
    let simulation = simulation(server, stopping.clone())?;
    terminal::say(&told(listener.local_addr()?, server)?)?;
    let telling = tokio::spawn(simulation.courier.clone().run());
    let shutdown = async move {
        let signal = stop.await;
        tracing::info!(signal, "stopping: requests in flight finish");
    };
    let limits = ServerLimits { max_connections: MAX_CONNECTIONS, drain_timeout: DRAIN, ..ServerLimits::default() };
    if let Stopped::Cut { connections } = server::serve(listener, simulation.router(), limits, shutdown).await {
        tracing::warn!(connections, "connections were cut");
    }
    stopping.cancel();
    telling.await?;
    tracing::info!("stopped");
    Ok(())
}

/// Refuses where somebody else could reach it, or real money could be meant.
fn check(mode: Mode, listen: SocketAddr, server: &str) -> Result<(), Cause> {
    if mode == Mode::Production {
        return Err("In production nothing is simulated: `gateways` is for a sandbox.".into());
    }
    if !listen.ip().is_loopback() {
        return Err(format!("`gateways` listens on this machine alone, and {listen} can be reached by others: take 127.0.0.1.").into());
    }
    let is_origin = |uri: &Uri| is_here(uri) && uri.path() == "/" && uri.query().is_none() && !server.ends_with('/');
    if server.parse().is_ok_and(|uri| is_origin(&uri)) {
        Ok(())
    } else {
        Err(format!("--server is {server:?} and must be a server on this machine, like http://127.0.0.1:8080.").into())
    }
}

/// Both of them, remembering nothing yet.
fn simulation(server: &str, stopping: CancellationToken) -> Result<Simulation, Cause> {
    let clock = Arc::new(SystemClock);
    let bytes: [u8; 4] = (&SystemRng as &dyn Rng).bytes();
    let run = bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let options = Options { clock: clock.clone(), run, most: MOST, late_after: Some(LATE), holder: daraja::by_number };
    let (stripe, daraja) = (StripeSimulator::new(options.clone()), DarajaSimulator::new(options));
    let events_url = format!("{server}{}", stripe_events::PATH);
    let told = CourierOptions { events_url, delay: DELAY, pauses: PAUSES.to_vec(), clock, most: MOST };
    let courier = Courier::new(stripe.clone(), daraja.clone(), told, stopping)?;
    Ok(Simulation { stripe, daraja, courier })
}

/// What is said at its start: with which environment a server is started, and what to try.
fn told(at: SocketAddr, server: &str) -> Result<String, std::fmt::Error> {
    let mut text = format!(
        "Stripe and Daraja are simulated at http://{at}: nothing is charged, and nothing is kept on disk.\n\n\
         Start a sandbox server against them with this environment, in another terminal:\n\n"
    );
    for (name, value) in environment(at, server) {
        writeln!(text, "  export {name}={value}")?;
    }
    let listen = server.strip_prefix("http://").unwrap_or(server).replacen("localhost", "127.0.0.1", 1);
    writeln!(text, "  evolve-business serve --listen {listen}\n")?;
    text.push_str(
        "Cards, as addPaymentMethod(input: { source: { cardToken } }), each any number of times:\n\n  \
         pm_card_visa                     pays\n  \
         pm_card_authenticationRequired   its bank asks for the customer, who passes by POST /simulator/act\n  \
         pm_card_chargeDeclined           is refused when it is added\n  \
         pm_card_chargeCustomerFail       is taken, and every charge is declined\n  \
         pm_simulator_insufficient_funds  the same, for want of money\n\n\
         Phones, as mpesaPhone, by the last two digits: +254712345678 and any other pays after three seconds, but\n\n",
    );
    for (digits, _, meaning) in daraja::BY_NUMBER {
        writeln!(text, "  +2547123456{digits}  {meaning}")?;
    }
    write!(
        text,
        "\nWhat was truly charged:       curl http://{at}/simulator/ledger\n\
         The next answer is lost:      curl --json '{{\"gateway\":\"stripe\",\"requests\":[\"answer_lost\"]}}' http://{at}/simulator/faults\n\
         The customer passes a check:  curl --json '{{\"does\":\"passes_check\"}}' http://{at}/simulator/act\n\
         The rest is in docs/gateways.md."
    )?;
    Ok(text)
}

/// The environment of a server that asks the simulators.
fn environment(at: SocketAddr, server: &str) -> [(&'static str, String); 12] {
    let url = format!("http://{at}");
    [
        ("EVOLVE_STRIPE_URL", url.clone()),
        ("EVOLVE_STRIPE_SECRET_KEY", stripe::SECRET_KEY.to_owned()),
        ("EVOLVE_STRIPE_PUBLISHABLE_KEY", stripe::PUBLISHABLE_KEY.to_owned()),
        ("EVOLVE_STRIPE_WEBHOOK_SECRETS", stripe::WEBHOOK_SECRET.to_owned()),
        ("EVOLVE_MPESA_URL", url),
        ("EVOLVE_MPESA_CONSUMER_KEY", daraja::CONSUMER_KEY.to_owned()),
        ("EVOLVE_MPESA_CONSUMER_SECRET", daraja::CONSUMER_SECRET.to_owned()),
        ("EVOLVE_MPESA_SHORT_CODE", daraja::SHORT_CODE.to_owned()),
        ("EVOLVE_MPESA_PASSKEY", daraja::PASSKEY.to_owned()),
        ("EVOLVE_MPESA_INITIATOR", daraja::INITIATOR.to_owned()),
        ("EVOLVE_MPESA_SECURITY_CREDENTIAL", daraja::CREDENTIAL.to_owned()),
        ("EVOLVE_MPESA_CALLBACK_URL", server.to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_listens_on_this_machine_alone_tells_this_machine_alone_and_never_in_production() {
        let good = |listen: &str, server: &str| check(Mode::Sandbox, listen.parse().unwrap(), server);
        for (listen, server) in
            [("127.0.0.1:8090", "http://127.0.0.1:8080"), ("[::1]:0", "http://localhost:8080"), ("127.9.9.9:1", "http://[::1]:8080")]
        {
            assert!(good(listen, server).is_ok(), "{listen} {server}");
        }
        for listen in ["0.0.0.0:8090", "[::]:8090", "10.0.0.1:8090", "192.168.1.7:80"] {
            let refused = good(listen, "http://127.0.0.1:8080").unwrap_err().to_string();
            assert!(refused.contains("on this machine alone") && refused.contains(listen), "{refused}");
        }
        for server in [
            "http://10.0.0.1:8080",
            "https://127.0.0.1:8080",
            "http://127.0.0.1:8080/",
            "http://127.0.0.1:8080/x",
            "http://example.com",
            "127.0.0.1:8080",
            "",
        ] {
            let refused = good("127.0.0.1:8090", server).unwrap_err().to_string();
            assert!(refused.starts_with("--server is"), "{server}: {refused}");
        }
        let refused = check(Mode::Production, LISTEN.into(), "http://127.0.0.1:8080").unwrap_err();
        assert!(refused.to_string().starts_with("In production nothing is simulated"), "{refused}");
    }

    #[test]
    fn the_documentation_has_the_environment_and_each_card_and_phone() {
        let document = include_str!("../../docs/gateways.md");
        for (name, value) in environment(LISTEN.into(), "http://127.0.0.1:8080") {
            assert!(document.contains(&format!("\nexport {name}={value}\n")), "{name}");
        }
        let phones = daraja::BY_NUMBER.iter().map(|(digits, ..)| *digits);
        for name in stripe::test_tokens().chain(phones) {
            assert!(document.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn what_it_prints_has_the_whole_environment_and_each_phone() {
        let text = told("127.0.0.1:8090".parse().unwrap(), "http://127.0.0.1:8080").unwrap();
        for (name, value) in environment("127.0.0.1:8090".parse().unwrap(), "http://127.0.0.1:8080") {
            assert!(text.contains(&format!("\n  export {name}={value}\n")), "{name}: {text}");
        }
        assert!(text.contains("\n  evolve-business serve --listen 127.0.0.1:8080\n"), "{text}");
        assert!(daraja::BY_NUMBER.iter().all(|(digits, ..)| text.contains(&format!("+2547123456{digits}  "))), "{text}");
    }
}
