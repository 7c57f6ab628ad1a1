//! Row: the database as a file, `GET /v3/snapshot`.

use super::{Answer, Content, Endpoint, Listeners, PROBLEM, Parameter, Place, Shape, Verb};
use crate::errors::Form;

pub(super) const SNAPSHOT: Endpoint = Endpoint {
    path: "/v3/snapshot",
    verb: Verb::Get,
    listeners: Listeners::Clients,
    id: "Maintenance_SnapshotFile",
    tag: "Maintenance",
    summary: "Gives a backup: the database as a file",
    description: "What `etcdctl snapshot save` writes: a database in etcd's format, then the SHA-256 of it. `keyport snapshot restore` and \
`etcdutl snapshot restore` start from it. For root alone while users are on.

Each request gets a copy as of now, with a tag (`ETag`) of its own. The copy stays for five minutes after it was read last, \
if there are not two newer ones or too many of others. Who was interrupted gets the rest of it by its tag: `Range` with `If-Match`, \
or with `If-Range`, which gives all of a new copy when the old one is gone. A `Range` without either is not looked at, since \
it would be one of another copy.",
    parameters: &[
        header("If-Match", "A copy that was given before, by its `ETag`, and no other."),
        header("If-Range", "The same for `Range`; a new copy as a whole if it is gone."),
        header("If-None-Match", "None, if it would be the same as this one."),
        header("Range", "Of the copy that `If-Match` or `If-Range` names: one range of bytes."),
    ],
    body: &[],
    answers: &[
        Answer {
            status: 200,
            description: "All of it. `Repr-Digest` (RFC 9530) is the SHA-256 of the whole file.",
            contents: &[FILE],
            headers: &["Content-Length", "Content-Disposition", "ETag", "Repr-Digest", "Accept-Ranges"],
        },
        Answer {
            status: 206,
            description: "A part of it.",
            contents: &[FILE],
            headers: &[
                "Content-Length",
                "Content-Range",
                "Content-Disposition",
                "ETag",
                "Repr-Digest",
                "Accept-Ranges",
            ],
        },
        Answer {
            status: 304,
            description: "It is what `If-None-Match` names.",
            contents: &[],
            headers: &["ETag", "Repr-Digest", "Accept-Ranges"],
        },
        Answer { status: 412, description: "What `If-Match` names is not there any more.", contents: &[PROBLEM], headers: &[] },
        Answer {
            status: 416,
            description: "It has not so many bytes.",
            contents: &[PROBLEM],
            headers: &["Content-Range"],
        },
    ],
    refusals: Some(Form::Problem),
    public: false,
};

const FILE: Content = Content { media_type: "application/octet-stream", shape: Shape::Binary, example: None };

const fn header(name: &'static str, description: &'static str) -> Parameter {
    Parameter { name, aliases: &[], place: Place::Header, description, shape: Shape::Text, repeated: false }
}
