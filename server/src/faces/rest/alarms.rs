//! `/v3/alarms`: what keeps members from serving all there is.

use http::Response;
use http::request::Parts;
use keyport_api::etcdserverpb::alarm_request::AlarmAction;
use keyport_api::etcdserverpb::{AlarmMember, AlarmRequest, AlarmType};
use keyport_openapi::endpoints::Resource;
use serde_json::{Value, json};

use super::failure::Failure;
use super::shown;
use crate::calls::{Caller, Calls};
use crate::faces::query::parameters_once;
use crate::faces::text::GatewayBody;

pub(super) async fn answer(
    calls: &Calls,
    caller: &Caller,
    resource: Resource,
    parts: &Parts,
) -> Result<Response<GatewayBody>, Failure> {
    let mut wanted = None;
    for given in parameters_once(parts.uri.query().unwrap_or_default())? {
        match &*given.name {
            "alarm" if resource == Resource::AlarmsDisarm => {
                let alarm = AlarmType::from_str_name(&given.text()).filter(|alarm| *alarm != AlarmType::None);
                wanted = Some(alarm.ok_or_else(|| given.is_not("NOSPACE or CORRUPT"))?);
            }
            _ => given.unknown()?,
        }
    }
    if resource == Resource::AlarmsDisarm {
        // Whether there is any or not.
        calls.maintenance.look_inside(caller)?;
    }
    let list = AlarmRequest { action: AlarmAction::Get.into(), ..AlarmRequest::default() };
    let mut alarms = calls.maintenance.alarm(caller, list).await?.alarms;
    if resource == Resource::AlarmsDisarm {
        alarms.retain(|alarm| wanted.is_none_or(|wanted| alarm.alarm() == wanted));
        for AlarmMember { member_id, alarm } in &alarms {
            let request = AlarmRequest { action: AlarmAction::Deactivate.into(), member_id: *member_id, alarm: *alarm };
            calls.maintenance.alarm(caller, request).await?;
        }
    }
    let alarms: Vec<_> = alarms.iter().map(document).collect();
    Ok(shown::document(&json!({ "alarms": alarms })))
}

pub(super) fn document(alarm: &AlarmMember) -> Value {
    json!({ "member": alarm.member_id.to_string(), "alarm": alarm.alarm().as_str_name() })
}
