//! The names of operations, as generated clients have them for methods: `kvPut`, `leaseGrant`, `keysPut`.

use keyport_api::methods::MethodInfo;

/// Of an RPC: the service and the name, once where the name begins with the service (`Lease`, `LeaseGrant`).
pub(crate) fn of_method(info: &MethodInfo) -> String {
    let service = info.service.rsplit('.').next().unwrap_or(info.service);
    if info.name.starts_with(service) { camel(&[info.name]) } else { camel(&[service, info.name]) }
}

/// Of a row, which writes its parts with `_` between them: `Keys_Put`.
pub(crate) fn of_row(id: &str) -> String {
    camel(&id.split('_').collect::<Vec<_>>())
}

fn camel(parts: &[&str]) -> String {
    let mut id = String::new();
    for part in parts {
        let mut letters = part.chars();
        let Some(first) = letters.next() else { continue };
        match id.is_empty() {
            // An abbreviation is in small letters as a whole.
            true if part.chars().all(|letter| letter.is_ascii_uppercase()) => id.push_str(&part.to_ascii_lowercase()),
            true => id.extend(first.to_lowercase().chain(letters)),
            false => id.extend(first.to_uppercase().chain(letters)),
        }
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyport_api::methods::Method;

    #[test]
    fn names_are_those_of_methods_in_code() {
        for (method, id) in [
            (Method::Put, "kvPut"),
            (Method::LeaseGrant, "leaseGrant"),
            (Method::Watch, "watch"),
            (Method::AuthEnable, "authEnable"),
            (Method::Authenticate, "authenticate"),
            (Method::UserAdd, "authUserAdd"),
            (Method::MemberList, "clusterMemberList"),
            (Method::Lock, "lock"),
            (Method::Unlock, "lockUnlock"),
        ] {
            assert_eq!(of_method(method.info()), id);
        }
        for (row, id) in [
            ("Keys_Put", "keysPut"),
            ("Operations_livez_check", "operationsLivezCheck"),
            ("Maintenance_SnapshotFile", "maintenanceSnapshotFile"),
        ] {
            assert_eq!(of_row(row), id);
        }
    }
}
