//! A service that keeps the master key to itself: it wraps and unwraps the keys of businesses and people, and never gives its own away.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use evolve_business::config::KeyMaterial;
use evolve_business::security::envelope::{KeyId, KeyWrapper, SealError};
use evolve_business::security::key_ring::MasterKeys;
use evolve_business::security::random::Rng;
use evolve_business::services::sealing::Rotated;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::key_rotation::{is_shut, master, opens, started};
use crate::world_lives::register;

both!(a_service_takes_the_place_of_the_master_key_and_nothing_is_read_or_written_while_it_is_down);

/// What it is asked: by whose key and, to unwrap, under which handle.
type Asked = (Uuid, Result<[u8; 32], u128>, Sender<Result<[u8; 32], u128>>);

/// A service in a thread of its own. It keeps the keys, and what it calls a wrapped one is a handle that says nothing.
#[derive(Debug)]
struct Service {
    asks: Mutex<Sender<Asked>>,
    down: AtomicBool,
    asked: AtomicUsize,
}

impl Service {
    fn start() -> Arc<Self> {
        let (asks, asked) = channel::<Asked>();
        std::thread::spawn(move || {
            let mut keys: HashMap<(Uuid, u128), [u8; 32]> = HashMap::new();
            for (holder, what, answer) in asked {
                let said = match what {
                    Ok(key) => {
                        let handle = u128::try_from(keys.len()).unwrap() + 1;
                        keys.insert((holder, handle), key);
                        Err(handle)
                    }
                    // Of what it does not know it says nothing: the asker is left without an answer.
                    Err(handle) => match keys.get(&(holder, handle)) {
                        Some(key) => Ok(*key),
                        None => continue,
                    },
                };
                assert!(answer.send(said).is_ok(), "whoever asks waits");
            }
        });
        Arc::new(Self { asks: Mutex::new(asks), down: AtomicBool::new(false), asked: AtomicUsize::new(0) })
    }

    /// Asks it, as one asks over a network: others go on meanwhile.
    fn ask(&self, holder: Uuid, what: Result<[u8; 32], u128>) -> Result<Result<[u8; 32], u128>, SealError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(SealError);
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        let (answer, answered) = channel();
        tokio::task::block_in_place(|| {
            self.asks.lock().unwrap().send((holder, what, answer)).map_err(|_| SealError)?;
            answered.recv().map_err(|_| SealError)
        })
    }
}

impl KeyWrapper for Service {
    fn id(&self) -> KeyId {
        KeyId::of_name("kms://key/1")
    }

    fn wrap(&self, _rng: &dyn Rng, holder: Uuid, key: &KeyMaterial) -> Result<Vec<u8>, SealError> {
        let handle = self.ask(holder, Ok(*key.expose()))?.err().ok_or(SealError)?;
        Ok([self.id().head().as_slice(), &handle.to_be_bytes()].concat())
    }

    fn unwrap_key(&self, holder: Uuid, wrapped: &[u8]) -> Result<KeyMaterial, SealError> {
        let handle = wrapped.strip_prefix(self.id().head().as_slice()).and_then(|rest| rest.try_into().ok()).ok_or(SealError)?;
        self.ask(holder, Err(u128::from_be_bytes(handle)))?.map(KeyMaterial::from_bytes).map_err(|_| SealError)
    }
}

/// One that forgets to say which key has wrapped.
#[derive(Debug)]
struct Nameless;

impl KeyWrapper for Nameless {
    fn id(&self) -> KeyId {
        KeyId::of_name("kms://key/2")
    }

    fn wrap(&self, _rng: &dyn Rng, _holder: Uuid, _key: &KeyMaterial) -> Result<Vec<u8>, SealError> {
        Ok(vec![7; 48])
    }

    fn unwrap_key(&self, _holder: Uuid, _wrapped: &[u8]) -> Result<KeyMaterial, SealError> {
        Err(SealError)
    }
}

/// What somebody who registers is answered.
async fn comes(server: &Server, name: &str) -> Value {
    let input = json!({
        "businessName": format!("{name} Traders"), "businessEmail": format!("{name}@office.example"), "industry": "Retail",
        "companySize": "SIZE_1", "country": "KE", "postalCode": "00100", "fullName": name, "email": format!("{name}@example.com"),
        "password": "copper-lantern-drifts-sideways",
    });
    server
        .client()
        .ask("mutation($i: RegisterInput!) { register(input: $i) { business { id } userErrors { code } } }", json!({ "i": input }))
        .await
}

async fn is_a_fault(client: &Client, document: &str) {
    let answer = client.ask(document, json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL", "{document}: {answer}");
}

async fn a_service_takes_the_place_of_the_master_key_and_nothing_is_read_or_written_while_it_is_down(db: TestDatabase) {
    let (mut world, _server, ann) = started(db).await;
    let service = Service::start();
    world.master_keys(MasterKeys::of(service.clone(), Some(Arc::new(master(1)))));
    opens(&world, &ann).await;
    assert_eq!(service.asked.load(Ordering::SeqCst), 0, "it has wrapped nothing yet");
    assert_eq!(world.rotate(false).await, Rotated { rewrapped: 1, ..Rotated::default() });
    world.master_keys(MasterKeys::of(service.clone(), None));
    opens(&world, &ann).await;
    let wrapped = world.read_bytes("select wrapped_key from businesses").await.remove(0).unwrap();
    assert_eq!(wrapped.len(), 9 + 16, "of the key itself the database has nothing, wrapped or not");

    // Who comes now has a key that nothing but the service opens; another business's handle opens nothing.
    let server = Server::start(&world).await;
    let (ben, _) = register(&server, "ben").await;
    let change = "mutation { updateProfile(input: { phone: \"+254700000001\" }) { userErrors { code } } }";
    assert_eq!(ben.data(change, json!({})).await["updateProfile"]["userErrors"], json!([]));
    let phone = "{ profile { phone } }";
    assert_eq!(ben.data(phone, json!({})).await["profile"]["phone"], "+254700000001");
    let swap = "update businesses set wrapped_key = (select wrapped_key from businesses where business_name = 'ann Traders')
                where business_name = 'ben Traders'";
    let own = world.read_bytes("select wrapped_key from businesses where business_name = 'ben Traders'").await.remove(0).unwrap();
    assert_eq!(world.run_sql(swap).await, 1);
    is_a_fault(&ben, phone).await;
    let digits = own.iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"));
    let bytes = match world.database.kind {
        crate::database::Kind::Sqlite => format!("x'{digits}'"),
        crate::database::Kind::Postgres => format!("decode('{digits}', 'hex')"),
    };
    world.run_sql(&format!("update businesses set wrapped_key = {bytes} where business_name = 'ben Traders'")).await;
    assert_eq!(ben.data(phone, json!({})).await["profile"]["phone"], "+254700000001");

    // Down, it leaves everything as it is, and what needs no key goes on.
    service.down.store(true, Ordering::SeqCst);
    is_shut(&world, &ann).await;
    is_a_fault(&ben, change).await;
    let refused = comes(&server, "cat").await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "INTERNAL", "{refused}");
    assert_eq!(world.number("select count(*) from businesses").await, 2);
    assert_eq!(ben.data("{ profile { businessName } }", json!({})).await["profile"]["businessName"], "ben Traders");
    service.down.store(false, Ordering::SeqCst);
    opens(&world, &ann).await;
    assert_eq!(comes(&server, "cat").await["data"]["register"]["userErrors"], json!([]));

    // One whose work could not be found again is not believed.
    world.master_keys(MasterKeys::of(Arc::new(Nameless), None));
    let refused = comes(&Server::start(&world).await, "dan").await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "INTERNAL", "{refused}");
    assert_eq!(world.number("select count(*) from businesses").await, 3);
}
