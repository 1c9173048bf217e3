//! Members of staff, signed in to their API.

use evolve_business::services::staff::{NewStaff, StaffService};
use evolve_business::store::types::StaffRole;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::world::World;
use crate::world_lives::PASSWORD;

impl World {
    /// Adds a member of staff as the command line does; answers their address.
    pub(crate) async fn add_staff(&self, role: StaffRole) -> String {
        let email = format!("{}@staff.example", role.as_str().to_lowercase());
        let new = NewStaff { email: email.clone(), full_name: "Achieng Okoth".to_owned(), role, password: PASSWORD.into() };
        StaffService::new(self.ports.clone()).add(new).await.unwrap();
        email
    }

    /// A member of staff of that role, signed in.
    pub(crate) async fn staff(&self, server: &Server, role: StaffRole) -> Client {
        let email = self.add_staff(role).await;
        signed_in(server, &email).await
    }
}

/// A client of that member of staff.
pub(crate) async fn signed_in(server: &Server, email: &str) -> Client {
    let mut client = server.staff();
    let payload = client.mutate("staffSignIn", json!({ "email": email, "password": PASSWORD }), "session { accessToken }").await;
    client.token = Some(text(&payload["session"]["accessToken"]));
    client
}

/// The text of a value.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value:#} is no text")).to_owned()
}

/// The code of the first error of an answer.
pub(crate) fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("{answer:#} has no error"))
}
