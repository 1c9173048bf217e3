//! Mail goes to a real mail server (aiosmtpd, in a process of its own): what it takes, refuses for now and for good, and
//! connections that cannot be trusted.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use evolve_business::adapters::mail::{Mail, MailAddress, Mailer as _, Subject};
use evolve_business::adapters::smtp::{SmtpMailer, SmtpServer};
use evolve_business::clock::ManualClock;
use evolve_business::config::SmtpTls;
use jiff::SignedDuration;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::database::TestDatabase;
use crate::world::World;
use crate::world_mail::{changed_to, subscription};

const NOW: &str = "2027-01-31T09:00:00Z";
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/smtp");

both!(
    a_mail_that_is_refused_for_now_arrives_and_one_that_is_refused_for_good_is_recorded,
    a_mail_is_not_given_to_a_server_that_cannot_be_trusted_and_waits,
);

/// A mail server; it ends when its standard input is closed, which is when the test ends.
struct Aiosmtpd {
    child: Child,
    port: u16,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Aiosmtpd {
    /// Starts one; `None`, said loudly, where there is no aiosmtpd. Under CI that fails.
    fn start(arguments: &[&str]) -> Option<Self> {
        let python = std::env::var("EVOLVE_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let found = Command::new(&python).args(["-c", "import aiosmtpd"]).stderr(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            assert!(std::env::var_os("CI").is_none(), "no aiosmtpd under CI: {python} does not know it");
            let line = format!(
                "\n!!! SKIPPED: a test of mail by SMTP did nothing: {python} has no aiosmtpd; name one that has by EVOLVE_TEST_PYTHON.\n\n"
            );
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            return None;
        }
        let mut command = Command::new(python);
        let mut child =
            command.arg(Path::new(FOLDER).join("server.py")).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        Some(Self { child, port: first.strip_prefix("port ").unwrap().parse().unwrap(), lines })
    }

    /// A mailer to it. `trusted`: the certificate's authority is known.
    fn mailer(&self, tls: SmtpTls, trusted: bool, password: Option<&str>) -> SmtpMailer {
        let authority = trusted.then(|| std::fs::read(Path::new(FOLDER).join("authority.pem")).unwrap());
        let login = password.map(|password| ("evolve".to_owned(), password.into()));
        let server = SmtpServer { host: "localhost".to_owned(), port: self.port, tls, login, authority };
        let clock = Arc::new(ManualClock::at(NOW.parse().unwrap()));
        SmtpMailer::new(&server, &MailAddress::parse("billing@evolve.test").unwrap(), clock).unwrap()
    }

    /// The next mail that it took.
    fn taken(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }

    /// Ends it, and answers the mails that nobody has asked for.
    fn rest(mut self) -> Vec<Value> {
        drop(self.child.stdin.take());
        let rest = self.lines.by_ref().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
        self.child.wait().unwrap();
        rest
    }
}

impl Drop for Aiosmtpd {
    fn drop(&mut self) {
        // One that has ended already is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn a_mail_that_is_refused_for_now_arrives_and_one_that_is_refused_for_good_is_recorded(db: TestDatabase) {
    let Some(mut server) = Aiosmtpd::start(&["starttls", "login"]) else { return };
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    world.sql("update users set email = 'later-2@example.com', full_name = 'Ann'").await;
    world.colleague(payer.scope, evolve_business::store::types::Role::Billing, "never@example.com").await;
    let one = subscription();
    world.emit(payer.scope, vec![changed_to(&one, "Größe"), changed_to(&one, "B")]).await;
    let mailer = Arc::new(server.mailer(SmtpTls::Starttls, true, Some("secret")));
    let worker = World::worker(&world.mailing(mailer));
    for round in 0..3 {
        worker.run_due_jobs().await.unwrap();
        let waiting = world.number("select count(*) from mails where status = 'QUEUED'").await;
        assert_eq!(waiting, if round < 2 { 2 } else { 0 }, "the second waits for the first");
        world.advance(SignedDuration::from_secs(10));
    }
    // "5.1.1 There is nobody of that name", for both of their mails.
    let refused = world.read_texts("select error from mails where status = 'FAILED'").await;
    assert!(refused.len() == 2 && refused.iter().all(|error| error.contains("There is nobody of that name")), "{refused:?}");

    let first = server.taken();
    assert_eq!(
        (&first["tls"], &first["login"], &first["from"], &first["to"]),
        (&json!(true), &json!("evolve"), &json!("billing@evolve.test"), &json!(["later-2@example.com"]))
    );
    assert_eq!(first["subject"], "Your plan is now Größe");
    assert_eq!(first["date"], "Sun, 31 Jan 2027 09:00:00 +0000");
    assert!(first["id"].as_str().unwrap().ends_with("@evolve.test>"));
    assert!(first["text"].as_str().unwrap().contains("has changed to Größe."), "{first:#}");
    assert!(first["html"].as_str().unwrap().contains(">The subscription of Acme has changed to Größe.</p>"), "{first:#}");
    assert_eq!(server.taken()["subject"], "Your plan is now B");
    assert_eq!(server.rest(), Vec::<Value>::new(), "each once");
    assert_eq!(world.number("select count(*) from mails where status = 'SENT'").await, 2);
}

async fn a_mail_is_not_given_to_a_server_that_cannot_be_trusted_and_waits(db: TestDatabase) {
    let (Some(starttls), Some(plain), Some(login)) =
        (Aiosmtpd::start(&["starttls"]), Aiosmtpd::start(&["plain"]), Aiosmtpd::start(&["starttls", "login"]))
    else {
        return;
    };
    let Some(mut implicit) = Aiosmtpd::start(&["implicit"]) else { return };
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    world.emit(payer.scope, vec![changed_to(&subscription(), "A")]).await;
    let gone = Aiosmtpd::start(&["plain"]).unwrap();
    let nobody = gone.mailer(SmtpTls::None, false, None);
    drop(gone);
    let distrusted = [
        ("an authority that is not known", starttls.mailer(SmtpTls::Starttls, false, None)),
        ("no STARTTLS", plain.mailer(SmtpTls::Starttls, true, None)),
        ("no TLS at all", plain.mailer(SmtpTls::Implicit, true, None)),
        ("a wrong password", login.mailer(SmtpTls::Starttls, true, Some("wrong"))),
        ("nobody there", nobody),
    ];
    for (attempt, (why, mailer)) in (1_i32..).zip(distrusted) {
        World::worker(&world.mailing(Arc::new(mailer))).run_due_jobs().await.unwrap();
        assert_eq!(world.number("select count(*) from mails where status = 'QUEUED'").await, 1, "{why}");
        let tried = format!("select count(*) from jobs where kind = 'send_mail' and status = 'READY' and attempts = {attempt}");
        assert_eq!(world.number(&tried).await, 1, "{why}");
        world.advance(SignedDuration::from_mins(2));
    }
    World::worker(&world.mailing(Arc::new(implicit.mailer(SmtpTls::Implicit, true, None)))).run_due_jobs().await.unwrap();
    assert_eq!(world.number("select count(*) from mails where status = 'SENT'").await, 1);
    assert_eq!(implicit.taken()["subject"], "Your plan is now A");
    for server in [starttls, plain, login, implicit] {
        assert_eq!(server.rest(), Vec::<Value>::new(), "nothing went to a server that is not trusted");
    }
}

/// What the types let through cannot end a header or a mail early.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_with_a_lone_dot_arrives_whole_and_adds_no_header() {
    let Some(mut server) = Aiosmtpd::start(&["plain"]) else { return };
    let mailer = server.mailer(SmtpTls::None, false, None);
    let mail = Mail {
        id: Uuid::nil(),
        to: MailAddress::parse("o'neil+x@example.com").unwrap(),
        subject: Subject::parse(&"Subject: é, Bcc: eve@example.com ".repeat(6)).unwrap(),
        text: "one\n.\n..two\nMAIL FROM:<eve@example.com>\n".to_owned(),
        html: Some("<p>one</p>\n.\n<p>two</p>".to_owned()),
    };
    mailer.send(&mail).await.unwrap();
    let taken = server.taken();
    assert_eq!(taken["text"].as_str().unwrap().replace("\r\n", "\n"), mail.text);
    assert_eq!(taken["subject"].as_str().unwrap().trim(), mail.subject.as_str().trim());
    assert_eq!(taken["to"], json!(["o'neil+x@example.com"]));
    assert_eq!(taken["headers"], json!(["Content-Type", "Date", "From", "MIME-Version", "Message-ID", "Subject", "To"]));
    assert_eq!(server.rest(), Vec::<Value>::new());
}
