//! Builders of accounts, and a way to look at the tables past every wall.

use async_graphql::{EmptySubscription, MergedObject, Schema};
use evolve_business::error::{Failure, Outcome, UserErrorCode};
use evolve_business::graphql::business::account::{AccountMutation, AccountQuery};
use evolve_business::graphql::business::profile::{ProfileMutation, ProfileQuery};
use evolve_business::graphql::context::RequestContext;
use evolve_business::services::access::{self, Access, Caller};
use evolve_business::services::customers::{
    AuthTokens, BusinessChoice, CustomerService, NewBusiness, Register, Registered, SignIn, SignedIn,
};
use evolve_business::store::customers::{self, Member, User};
use evolve_business::store::types::{CompanySize, Role};
use evolve_business::store::{Instant, System, TenantScope};
use sea_orm::sqlx::{self, Connection as _, Row as _};
use secrecy::{ExposeSecret as _, SecretString};

use crate::database::Kind;
use crate::world::World;

/// A password that the policy takes.
pub(crate) const PASSWORD: &str = "copper-lantern-drifts-sideways";

#[derive(MergedObject, Default)]
struct Queries(AccountQuery, ProfileQuery);
#[derive(MergedObject, Default)]
struct Mutations(AccountMutation, ProfileMutation);

/// A business in Kenya whose owner has this address.
pub(crate) fn newcomer(email: &str) -> Register {
    Register {
        business: NewBusiness {
            business_name: "Baraka Traders".to_owned(),
            business_email: "accounts@baraka.example".to_owned(),
            industry: "Retail".to_owned(),
            company_size: CompanySize::Size2To10,
            country: "KE".to_owned(),
            postal_code: "00100".to_owned(),
            time_zone: None,
            currency: None,
        },
        full_name: "Wanjiru Kamau".to_owned(),
        email: email.to_owned(),
        password: PASSWORD.into(),
    }
}

/// What was refused: the field and the code of each, in order.
pub(crate) fn refusals<T: std::fmt::Debug>(outcome: Outcome<T>) -> Vec<(String, UserErrorCode)> {
    match outcome {
        Err(Failure::Refused(errors)) => errors.into_iter().map(|error| (error.field.join("."), error.code)).collect(),
        other => panic!("{other:?} is no refusal"),
    }
}

/// The text of a secret.
pub(crate) fn shown(secret: &SecretString) -> String {
    secret.expose_secret().to_owned()
}

impl World {
    pub(crate) fn accounts(&self) -> CustomerService {
        CustomerService::new(self.ports.clone())
    }

    /// Registers a business whose owner has this address.
    pub(crate) async fn register(&self, email: &str) -> Registered {
        self.accounts().register(newcomer(email), Some("Firefox")).await.unwrap()
    }

    /// Signs in to the first business.
    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> Outcome<SignedIn> {
        self.sign_in_with(email, password, None).await
    }

    /// The same, with what is shown for a second factor.
    pub(crate) async fn sign_in_with(&self, email: &str, password: &str, otp: Option<&str>) -> Outcome<SignedIn> {
        let (email, password, otp) = (email.to_owned(), password.into(), otp.map(str::to_owned));
        self.accounts().sign_in(SignIn { email, password, otp, address: None, business: BusinessChoice::FirstJoined }, None).await
    }

    pub(crate) async fn refresh(&self, tokens: &AuthTokens) -> Outcome<AuthTokens> {
        self.accounts().refresh_session(tokens.refresh_token.expose_secret()).await
    }

    /// Adds a person to the business of `scope`, and signs them in.
    pub(crate) async fn colleague(&self, scope: TenantScope, role: Role, email: &str) -> Caller {
        let hash = self.ports.passwords.hash(PASSWORD.into()).await.unwrap();
        self.person(Some((scope, role)), email, hash).await;
        self.sign_in(email, PASSWORD).await.unwrap().caller
    }

    /// Adds somebody who has an account to a business.
    pub(crate) async fn join(&self, scope: TenantScope, role: Role, email: &str) {
        let (ports, key) = (self.ports.clone(), email.to_lowercase());
        let write = move |system: System| {
            let (ports, key) = (ports.clone(), key.clone());
            async move {
                let user_id = customers::user_by_email(&system, &key).await?.unwrap().id;
                let tenant = system.tenant(scope);
                let joined_at = Instant::from(ports.now());
                let row = Member { business_id: scope.business(), id: ports.ids.next(), user_id, role, joined_at };
                Ok(customers::insert_member(&tenant, row).await?)
            }
        };
        self.ports.store.write_system(write).await.unwrap();
    }

    /// Adds a person with that password hash, to a business if there is one given.
    pub(crate) async fn person(&self, place: Option<(TenantScope, Role)>, email: &str, password_hash: String) -> User {
        let now = Instant::from(self.ports.now());
        let user = User {
            id: self.ports.ids.next(),
            email: email.to_owned(),
            email_key: email.to_lowercase(),
            full_name: "Otieno Odhiambo".to_owned(),
            password_hash,
            locale: "en".to_owned(),
            email_verified_at: None,
            two_factor_at: None,
            created_at: now,
            updated_at: now,
        };
        let (ports, row) = (self.ports.clone(), user.clone());
        let write = self.ports.store.write_system(move |system| {
            let (ports, row) = (ports.clone(), row.clone());
            async move {
                let user_id = customers::insert_user(&system, row).await?.id;
                if let Some((scope, role)) = place {
                    let member = Member { business_id: scope.business(), id: ports.ids.next(), user_id, role, joined_at: now };
                    customers::insert_member(&system.tenant(scope), member).await?;
                }
                Ok(())
            }
        });
        write.await.unwrap();
        user
    }

    /// What the caller may do now, as the guard of a field finds it.
    pub(crate) async fn access(&self, caller: Caller) -> Result<Access, evolve_business::error::Error> {
        let snapshot = evolve_business::store::Snapshot::new(self.ports.store.clone(), caller.scope());
        access::check(&snapshot.tenant().await?, caller).await
    }

    /// Runs a document for a caller, as JSON.
    pub(crate) async fn ask_accounts(&self, caller: Caller, document: &str) -> serde_json::Value {
        let schema = Schema::build(Queries::default(), Mutations::default(), EmptySubscription).finish();
        let keys = evolve_business::security::keys::Keys::load_or_create(self.database.dir.path(), self.ports.rng.as_ref()).unwrap();
        let context = RequestContext::new(self.ports.clone(), caller, std::sync::Arc::new(keys.cursor), Some("Firefox".to_owned()));
        let request = async_graphql::Request::new(document).data(std::sync::Arc::new(context));
        serde_json::to_value(schema.execute(request).await).unwrap()
    }

    /// Puts a plan on sale in these currencies.
    pub(crate) async fn sell_in(&self, currencies: &[&str]) {
        let (product, plan) = (self.uuid_literal(1), self.uuid_literal(2));
        let no = if self.database.kind == Kind::Sqlite { "0" } else { "false" };
        let at = "'2027-01-01T00:00:00+00:00'";
        self.run_sql(&format!(
            "insert into products (id, code, name, description, position, anchor_mode, granularity, prorations, downgrade_now, cancel_unused_time, created_at)
             values ({product}, 'erp', 'ERP', '', 1, 'ANNIVERSARY', 'DAY', '[]', {no}, '[]', {at})"
        ))
        .await;
        self.run_sql(&format!(
            "insert into plans (id, product_id, code, current_version, created_at) values ({plan}, {product}, 'pro', 2, {at})"
        ))
        .await;
        for version in [1, 2] {
            self.run_sql(&format!(
                "insert into plan_versions (plan_id, version, name, description, trial_days, requires_verification, created_at)
                 values ({plan}, {version}, 'Pro', '', 0, {no}, {at})"
            ))
            .await;
        }
        // The first version was sold in euro; a currency that only an old version has is not one that is sold in.
        for (version, currency) in currencies.iter().map(|currency| (2, *currency)).chain([(1, "EUR")]) {
            self.run_sql(&format!(
                "insert into plan_prices (plan_id, version, billing_interval, currency, amount_minor, tax_behavior)
                 values ({plan}, {version}, 'MONTHLY', '{currency}', 4990, 'EXCLUSIVE')"
            ))
            .await;
        }
    }

    /// A literal of an id.
    pub(crate) fn uuid_literal(&self, id: u128) -> String {
        match self.database.kind {
            Kind::Sqlite => format!("x'{id:032x}'"),
            Kind::Postgres => format!("'{id:032x}'::uuid"),
        }
    }

    /// Runs SQL past every wall; answers how many rows it changed.
    pub(crate) async fn run_sql(&self, sql: &str) -> u64 {
        let statement = sqlx::AssertSqlSafe(sql.to_owned());
        match self.database.kind {
            Kind::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(&self.database.url).await.unwrap();
                sqlx::query(statement).execute(&mut connection).await.unwrap().rows_affected()
            }
            Kind::Postgres => {
                let mut connection = sqlx::PgConnection::connect(&self.database.migration_url).await.unwrap();
                sqlx::query(statement).execute(&mut connection).await.unwrap().rows_affected()
            }
        }
    }

    /// The first column of every row, as bytes, past every wall.
    pub(crate) async fn read_bytes(&self, sql: &str) -> Vec<Option<Vec<u8>>> {
        let statement = sqlx::AssertSqlSafe(sql.to_owned());
        match self.database.kind {
            Kind::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(&self.database.url).await.unwrap();
                sqlx::query(statement).fetch_all(&mut connection).await.unwrap().iter().map(|row| row.get(0)).collect()
            }
            Kind::Postgres => {
                let mut connection = sqlx::PgConnection::connect(&self.database.migration_url).await.unwrap();
                sqlx::query(statement).fetch_all(&mut connection).await.unwrap().iter().map(|row| row.get(0)).collect()
            }
        }
    }

    /// The first column of every row, as text, past every wall.
    pub(crate) async fn read_texts(&self, sql: &str) -> Vec<String> {
        let statement = sqlx::AssertSqlSafe(sql.to_owned());
        match self.database.kind {
            Kind::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(&self.database.url).await.unwrap();
                sqlx::query_scalar(statement).fetch_all(&mut connection).await.unwrap()
            }
            Kind::Postgres => {
                let mut connection = sqlx::PgConnection::connect(&self.database.migration_url).await.unwrap();
                sqlx::query_scalar(statement).fetch_all(&mut connection).await.unwrap()
            }
        }
    }
}
