//! Mail by SMTP: a pool of connections to one server. What the server says decides whether a mail is tried again.

use std::time::Duration;

use async_trait::async_trait;
use lettre::address::Envelope;
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::{ExposeSecret as _, SecretString};

use super::mail::{Mail, MailAddress, MailError, Mailer};
use crate::clock::SharedClock;
use crate::config::SmtpTls;
use crate::error::Cause;

/// How long a server may take for one command.
const COMMAND_LIMIT: Duration = Duration::from_secs(10);
/// The most connections to the server.
const MOST_CONNECTIONS: u32 = 4;
/// Codes that refuse us (RFC 4954) and not the mail: an operator puts the password right, and the mail goes out.
const OF_OUR_LOGIN: [u16; 4] = [530, 534, 535, 538];

/// Where the server is, and how to talk to it.
pub struct SmtpServer {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// As whom to sign in.
    pub login: Option<(String, SecretString)>,
    /// Certificates (PEM) to trust beside the public ones.
    pub authority: Option<Vec<u8>>,
}

/// Hands mails to an SMTP server.
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Address,
    clock: SharedClock,
}

impl SmtpMailer {
    /// A mailer to `server`, which is not asked yet.
    ///
    /// # Errors
    /// Where a certificate or the sender's address is none.
    pub fn new(server: &SmtpServer, from: &MailAddress, clock: SharedClock) -> Result<Self, Cause> {
        let parameters = || -> Result<TlsParameters, Cause> {
            let mut parameters = TlsParameters::builder(server.host.clone());
            if let Some(pem) = &server.authority {
                parameters = parameters.add_root_certificate(Certificate::from_pem(pem)?);
            }
            Ok(parameters.build_rustls()?)
        };
        let tls = match server.tls {
            SmtpTls::Implicit => Tls::Wrapper(parameters()?),
            SmtpTls::Starttls => Tls::Required(parameters()?),
            SmtpTls::None => Tls::None,
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host)
            .port(server.port)
            .tls(tls)
            .timeout(Some(COMMAND_LIMIT))
            .pool_config(PoolConfig::new().max_size(MOST_CONNECTIONS));
        if let Some((user, password)) = &server.login {
            transport = transport.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
        }
        Ok(Self { transport: transport.build(), from: from.as_str().parse()?, clock })
    }

    /// The mail as it goes out.
    fn message(&self, mail: &Mail) -> Result<(Envelope, Vec<u8>), Cause> {
        let to: Address = mail.to.as_str().parse()?;
        let message = Message::builder()
            .from(Mailbox::new(None, self.from.clone()))
            .to(Mailbox::new(None, to))
            .subject(mail.subject.as_str())
            .message_id(Some(format!("<{}@{}>", mail.id, self.from.domain())))
            .date(self.clock.now().into());
        let message = match &mail.html {
            Some(html) => message.multipart(MultiPart::alternative_plain_html(mail.text.clone(), html.clone()))?,
            None => message.singlepart(SinglePart::plain(mail.text.clone()))?,
        };
        Ok((message.envelope().clone(), message.formatted()))
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let (envelope, message) = self.message(mail).map_err(|cause| MailError { transient: false, cause })?;
        match self.transport.send_raw(&envelope, &message).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let ours = error.status().is_some_and(|code| OF_OUR_LOGIN.contains(&code.into()));
                // No answer, no connection, no handshake, a 4xx: later it may go through.
                let transient = ours || !error.is_permanent();
                Err(MailError { transient, cause: with_cause(&error).into() })
            }
        }
    }
}

/// What went wrong and why, in one line: the server's words, never the mail's.
fn with_cause(error: &lettre::transport::smtp::Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.filter(|cause| !error.to_string().ends_with(cause.as_str())).unwrap_or_default())
}
