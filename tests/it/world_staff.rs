//! Members of staff, signed in to their API.

use evolve_business::services::access::Caller;
use evolve_business::services::staff::{NewStaff, SignIn, StaffService};
use evolve_business::store::types::StaffRole;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::world::World;
use crate::world_lives::PASSWORD;

impl World {
    /// Adds a member of staff; answers their address, which is their role's.
    pub(crate) async fn add_staff(&self, role: StaffRole) -> String {
        self.add_staff_named(&role.as_str().to_lowercase(), role).await
    }

    /// Adds a member of staff as the command line does; answers their address.
    pub(crate) async fn add_staff_named(&self, name: &str, role: StaffRole) -> String {
        let email = format!("{name}@staff.example");
        let new = NewStaff { email: email.clone(), full_name: "Achieng Okoth".to_owned(), role, password: PASSWORD.into() };
        StaffService::new(self.ports.clone()).add(new).await.unwrap();
        email
    }

    /// A new member of staff who signed in, as the guard finds them.
    pub(crate) async fn staff_caller(&self, name: &str, role: StaffRole) -> Caller {
        let email = self.add_staff_named(name, role).await;
        let input = SignIn { email, password: PASSWORD.into(), otp: None, address: None };
        let signed_in = StaffService::new(self.ports.clone()).sign_in(input, None).await;
        signed_in.unwrap().caller
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
