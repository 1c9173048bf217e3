//! Programs with keys.

use evolve_business::services::keys::{CreateServiceKey, ServiceKeyService};
use evolve_business::store::types::StaffRole;
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::client::{Client, Server};
use crate::world::World;

/// Makes a key of these scopes; answers its id and the key.
pub(crate) async fn make_key(owner: &Client, scopes: &[&str]) -> (String, String) {
    let input = json!({ "name": "Night batch", "scopes": scopes });
    let made = owner.mutate("createApiKey", input, "apiKey { id } secret").await;
    (made["apiKey"]["id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned())
}

/// A program that signs in by this key.
pub(crate) fn program(server: &Server, key: &str) -> Client {
    let mut client = server.client();
    client.token = Some(key.to_owned());
    client
}

impl World {
    /// A key of the ERP.
    pub(crate) async fn service_key(&self) -> String {
        let input = CreateServiceKey { name: "ERP backend".to_owned(), product: "erp".to_owned(), expires_at: None };
        let admin = self.staff_caller("keys", StaffRole::Admin).await;
        let made = ServiceKeyService::new(self.ports.clone()).create(admin, input).await.unwrap();
        made.secret.expose_secret().to_owned()
    }
}
