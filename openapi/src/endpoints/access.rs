//! Rows: who may do what, `/v3/users`, `/v3/roles` and `/v3/authentication`.

use serde_json::{Value, json};

use super::{Answer, Content, Endpoint, Parameter, Place, RESOURCE, Shape, Verb, json_of, query};

const COLLECTION: Endpoint = Endpoint { tag: "Users", ..RESOURCE };
const ONE_USER: Endpoint = Endpoint { path: "/v3/users/{name}", parameters: &[NAME], ..COLLECTION };
const ROLE_OF_USER: Endpoint =
    Endpoint { path: "/v3/users/{name}/roles/{role}", parameters: &[NAME, ROLE_NAME], ..COLLECTION };
const ONE_ROLE: Endpoint = Endpoint { path: "/v3/roles/{name}", parameters: &[NAME], ..COLLECTION };
const PERMISSIONS: Endpoint = Endpoint { path: "/v3/roles/{name}/permissions", ..ONE_ROLE };

pub(super) const USERS: Endpoint = Endpoint {
    path: "/v3/users",
    id: "Users_List",
    summary: "Lists the users",
    answers: &[ok("All of them.", &[json_of("UserList", || json!({"users": [{"name": "root"}]}))])],
    ..COLLECTION
};

pub(super) const USER_ADD: Endpoint = Endpoint {
    path: "/v3/users",
    verb: Verb::Post,
    id: "Users_Add",
    summary: "Adds a user",
    description: "One with `no_password` can only come with a certificate.",
    body: &[json_of("NewUser", || json!({"name": "app", "password": "a long one"}))],
    answers: &[made("He may come in.", &[json_of("User", || json!({"name": "app", "roles": []}))])],
    ..COLLECTION
};

pub(super) const USER: Endpoint = Endpoint {
    id: "Users_Get",
    summary: "Tells what roles a user has",
    answers: &[ok("His roles.", &[json_of("User", || json!({"name": "app", "roles": ["reader"]}))])],
    ..ONE_USER
};

pub(super) const USER_REMOVE: Endpoint = Endpoint {
    verb: Verb::Delete,
    id: "Users_Remove",
    summary: "Removes a user",
    answers: &[done("He is gone, and his tokens with him.")],
    ..ONE_USER
};

pub(super) const USER_PASSWORD: Endpoint = Endpoint {
    path: "/v3/users/{name}/password",
    verb: Verb::Put,
    id: "Users_SetPassword",
    summary: "Gives a user another password",
    description: "One's own is changed with `POST /v3/session/password`.",
    body: &[json_of("Password", || json!({"password": "a longer one"}))],
    answers: &[done("It is his from now on; his tokens are gone.")],
    ..ONE_USER
};

pub(super) const USER_PERMISSIONS: Endpoint = Endpoint {
    path: "/v3/users/{name}/permissions",
    id: "Users_Permissions",
    summary: "Tells what a user may do with which keys",
    description: "What all his roles together permit: ranges that neither touch nor overlap. With a `key`, a `prefix`, or `from` one `to` another it \
says as well whether he may read all of these, and whether he may write them. For root, and for the user himself. It is told while users are off, too.",
    parameters: &[NAME, KEY, KEY_BASE64, PREFIX, PREFIX_BASE64, FROM, FROM_BASE64, TO, TO_BASE64],
    answers: &[ok("What he may.", &[json_of("UserPermissions", permissions)])],
    ..COLLECTION
};

pub(super) const USER_GRANT: Endpoint = Endpoint {
    verb: Verb::Put,
    id: "Users_GrantRole",
    summary: "Gives a user a role",
    answers: &[done("He has it.")],
    ..ROLE_OF_USER
};

pub(super) const USER_REVOKE: Endpoint = Endpoint {
    verb: Verb::Delete,
    id: "Users_RevokeRole",
    summary: "Takes a role from a user",
    answers: &[done("He has it no more.")],
    ..ROLE_OF_USER
};

pub(super) const ROLES: Endpoint = Endpoint {
    path: "/v3/roles",
    id: "Roles_List",
    summary: "Lists the roles",
    answers: &[ok("All of them.", &[json_of("RoleList", || json!({"roles": [{"name": "reader"}]}))])],
    ..COLLECTION
};

pub(super) const ROLE_ADD: Endpoint = Endpoint {
    path: "/v3/roles",
    verb: Verb::Post,
    id: "Roles_Add",
    summary: "Adds a role",
    body: &[json_of("NewRole", || json!({"name": "reader"}))],
    answers: &[made(
        "It is there, and permits nothing.",
        &[json_of("Role", || json!({"name": "reader", "permissions": []}))],
    )],
    ..COLLECTION
};

pub(super) const ROLE: Endpoint = Endpoint {
    id: "Roles_Get",
    summary: "Tells what a role permits",
    answers: &[ok("What may be done with which keys.", &[json_of("Role", role)])],
    ..ONE_ROLE
};

pub(super) const ROLE_REMOVE: Endpoint = Endpoint {
    verb: Verb::Delete,
    id: "Roles_Remove",
    summary: "Removes a role",
    answers: &[done("Nobody has it any more.")],
    ..ONE_ROLE
};

pub(super) const ROLE_GRANT: Endpoint = Endpoint {
    verb: Verb::Post,
    id: "Roles_Grant",
    summary: "Lets a role do something with keys",
    description: "With one `key`, with all keys with a `prefix` (an empty one: all there are), or with those `from` one `to` another, \
or to the end. What it might do with just these before is replaced.",
    body: &[json_of("Permission", || json!({"permission": "read", "prefix": "app/"}))],
    answers: &[done("It permits that.")],
    ..PERMISSIONS
};

pub(super) const ROLE_REVOKE: Endpoint = Endpoint {
    verb: Verb::Delete,
    id: "Roles_Revoke",
    summary: "Takes from a role what it might do with keys",
    description: "Just these keys, as they were granted.",
    parameters: &[NAME, KEY, KEY_BASE64, PREFIX, PREFIX_BASE64, FROM, FROM_BASE64, TO, TO_BASE64],
    answers: &[done("It permits that no more.")],
    ..PERMISSIONS
};

pub(super) const AUTHENTICATION: Endpoint = Endpoint {
    path: "/v3/authentication",
    id: "Authentication_Get",
    summary: "Tells whether anybody is asked who he is",
    answers: &[ok(
        "Whether, and the revision of users and roles.",
        &[json_of("AuthenticationState", || json!({"enabled": true, "revision": "9"}))],
    )],
    ..COLLECTION
};

pub(super) const AUTHENTICATION_SET: Endpoint = Endpoint {
    verb: Verb::Put,
    id: "Authentication_Set",
    summary: "Has everybody be asked who he is, or nobody",
    description: "There has to be a user `root` with the role `root`.",
    body: &[json_of("AuthenticationChange", || json!({"enabled": true}))],
    answers: &[done("So it is.")],
    ..AUTHENTICATION
};

const NAME: Parameter = Parameter {
    name: "name",
    aliases: &[],
    place: Place::Path,
    description: "What he, or it, is called.",
    shape: Shape::Text,
    repeated: false,
};
const ROLE_NAME: Parameter = Parameter { name: "role", description: "The name of the role.", ..NAME };
const KEY: Parameter = query("key", "A key.", Shape::Text);
const KEY_BASE64: Parameter = query("key_b64", "The same in base64.", Shape::Base64);
const PREFIX: Parameter = query("prefix", "What keys begin with.", Shape::Text);
const PREFIX_BASE64: Parameter = query("prefix_b64", "The same in base64.", Shape::Base64);
const FROM: Parameter = query("from", "The first of several keys.", Shape::Text);
const FROM_BASE64: Parameter = query("from_b64", "The same in base64.", Shape::Base64);
const TO: Parameter = query("to", "The key that ends them, and is none of them.", Shape::Text);
const TO_BASE64: Parameter = query("to_b64", "The same in base64.", Shape::Base64);

const fn ok(description: &'static str, contents: &'static [Content]) -> Answer {
    Answer { status: 200, description, contents, headers: &[] }
}

const fn made(description: &'static str, contents: &'static [Content]) -> Answer {
    Answer { status: 201, description, contents, headers: &["Location"] }
}

const fn done(description: &'static str) -> Answer {
    Answer { status: 204, description, contents: &[], headers: &[] }
}

fn permissions() -> Value {
    json!({
        "name": "app", "roles": ["reader"], "read": [{"prefix": "app/"}, {"key": "flags"}], "write": [{"key": "flags"}],
        "may_read": true, "may_write": false,
    })
}

fn role() -> Value {
    json!({"name": "reader", "permissions": [{"permission": "read", "prefix": "app/"}, {"permission": "readwrite", "key": "flags"}]})
}
