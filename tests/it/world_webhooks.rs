//! Receivers of webhooks: real ones, on a free port of loopback, that answer as they are told and remember what came.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use evolve_business::services::events::Event;
use evolve_business::store::TenantScope;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_lives::{PASSWORD, register};

/// What came.
#[derive(Debug, Clone)]
pub(crate) struct Came {
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    /// What it was answered.
    pub(crate) status: u16,
}

impl Came {
    pub(crate) fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The plan that a change of plan tells of: what tells events of a test apart.
    pub(crate) fn plan(&self) -> String {
        self.json()["data"]["planName"].as_str().unwrap().to_owned()
    }
}

/// What a receiver does.
#[derive(Default)]
struct Mood {
    /// What is answered first: a status, with `Retry-After` and `Location`.
    answers: VecDeque<(u16, Vec<(&'static str, String)>)>,
    /// What is answered after that; 204 unless it is said.
    then: Option<u16>,
    /// The calls that are under way, by path.
    under_way: HashMap<String, usize>,
    /// The most that were under way at once for one path.
    most_under_way: usize,
}

/// A receiver.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    came: Arc<Mutex<Vec<Came>>>,
    mood: Arc<Mutex<Mood>>,
    /// Lets calls be answered whose path begins with `/held`.
    pub(crate) gate: Arc<Semaphore>,
}

impl Receiver {
    /// One that takes everything.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let receiver = Self { url, came: Arc::default(), mood: Arc::default(), gate: Arc::new(Semaphore::new(0)) };
        let router = Router::new().fallback(answer).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    /// Answers this next, once.
    pub(crate) fn answer_once(&self, status: u16, headers: &[(&'static str, &str)]) {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.mood.lock().unwrap().answers.push_back((status, headers));
    }

    /// Answers this from now on.
    pub(crate) fn answer(&self, status: u16) {
        self.mood.lock().unwrap().then = Some(status);
    }

    /// Everything that came, in order.
    pub(crate) fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }

    /// What it took, by the plans that are told of.
    pub(crate) fn took(&self, path: &str) -> Vec<String> {
        self.came().iter().filter(|came| came.path == path && came.status < 300).map(Came::plan).collect()
    }

    /// The most calls that were under way at once for one path.
    pub(crate) fn most_under_way(&self) -> usize {
        self.mood.lock().unwrap().most_under_way
    }
}

/// Remembers what comes, and answers it.
async fn answer(State(receiver): State<Receiver>, uri: Uri, headers: HeaderMap, body: String) -> (StatusCode, HeaderMap) {
    let path = uri.path().to_owned();
    let (status, given) = {
        let mut mood = receiver.mood.lock().unwrap();
        let under_way = mood.under_way.entry(path.clone()).or_default();
        *under_way += 1;
        let now = *under_way;
        mood.most_under_way = mood.most_under_way.max(now);
        let then = mood.then.unwrap_or(204);
        mood.answers.pop_front().unwrap_or((then, Vec::new()))
    };
    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    receiver.came.lock().unwrap().push(Came { path: path.clone(), headers, body, status });
    if path.starts_with("/held") {
        receiver.gate.acquire().await.unwrap().forget();
    }
    *receiver.mood.lock().unwrap().under_way.get_mut(&path).unwrap() -= 1;
    let given = given.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    (StatusCode::from_u16(status).unwrap(), given)
}

/// A business with an owner who is signed in, and a receiver.
pub(crate) struct Told {
    pub(crate) world: World,
    pub(crate) server: Server,
    pub(crate) ann: Client,
    pub(crate) scope: TenantScope,
    pub(crate) receiver: Receiver,
}

impl Told {
    /// The same at `now`.
    pub(crate) async fn at(db: TestDatabase, now: &str) -> Self {
        let world = World::at(db, now).await;
        world.seed_catalogue().await;
        let server = Server::start(&world).await;
        let (ann, business) = register(&server, "ann").await;
        world.run_due_jobs().await;
        let scope = TenantScope::proved(evolve_business::ids::BusinessId::parse(&business).unwrap());
        Self { world, server, ann, scope, receiver: Receiver::start().await }
    }

    /// Makes an endpoint at a path of the receiver that takes changes of plan; answers its id and secret.
    pub(crate) async fn endpoint(&self, path: &str) -> (String, String) {
        let input = json!({ "url": format!("{}{path}", self.receiver.url), "events": ["subscription.plan_changed"] });
        let made = self.ann.mutate("createWebhookEndpoint", input, "endpoint { id } secret").await;
        (made["endpoint"]["id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned())
    }

    /// Changes of plan to each of these, of as many subscriptions.
    pub(crate) async fn change_plans(&self, plans: &[&str]) {
        let events: Vec<Event> = plans.iter().map(|plan| crate::world_mail::changed_to(&crate::world_mail::subscription(), plan)).collect();
        self.world.emit(self.scope, events).await;
    }

    /// Signs in anew: an access token does not live through the days that the clock is moved on.
    pub(crate) async fn come_back(&mut self) {
        self.ann.token = None;
        let input = json!({ "email": "ann@example.com", "password": PASSWORD });
        let session = self.ann.mutate("signIn", input, "session { accessToken }").await;
        self.ann.token = Some(session["session"]["accessToken"].as_str().unwrap().to_owned());
    }

    /// The endpoints, each with its deliveries, the newest first.
    pub(crate) async fn shown(&self) -> Value {
        let document = "{ webhookEndpoints { id url events enabled disabledReason deliveries { totalCount
            nodes { id event payload status attempts responseStatus error nextAttemptAt } } } }";
        self.ann.data(document, json!({})).await["webhookEndpoints"].take()
    }
}
