//! Frames of HTTP/2 that no client would send, or never so many of.

use keyport_tests::frames::flag::{END_HEADERS, END_STREAM, PADDED};
use keyport_tests::frames::kind::{
    CONTINUATION, DATA, GOAWAY, HEADERS, PING, PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE,
};
use keyport_tests::frames::reason::{CANCEL, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, PROTOCOL_ERROR};
use keyport_tests::frames::{Http2, Outcome, block, frame, get, grpc, request, reset, setting, window_update};

use super::{Held, Siege};

const MANY: u32 = 20_000;
/// Of streams: more than may be given up in one burst, where few may be open.
const STREAMS: u32 = 1_500;
const WATCH: &str = "/etcdserverpb.Watch/Watch";
/// A stream that comes after all that a row opens.
const PROBE: u32 = 0x7fff_fffd;

/// What a row expects.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expect {
    /// The connection is given up for this reason.
    Ends(u32),
    /// The first stream is given up for this reason, and the connection goes on.
    Reset(u32),
    /// The first stream is answered so, and the connection goes on.
    Status(u16),
    /// The connection goes on.
    Served,
    /// It goes on, or is given up since it is too much.
    ServedOrCalmed,
}

impl Expect {
    /// The streams of which something is expected.
    fn streams(self) -> &'static [u32] {
        match self {
            Expect::Reset(_) | Expect::Status(_) => &[1, PROBE],
            Expect::Ends(_) | Expect::Served | Expect::ServedOrCalmed => &[PROBE],
        }
    }

    fn is_met(self, outcome: &Outcome) -> bool {
        // A connection that is closed while more comes in is reset, and what was said before may be lost with that.
        let ends = |reason| outcome.ended && outcome.goaway.is_none_or(|said| said == reason);
        let served = outcome.statuses.contains_key(&PROBE) && outcome.goaway.is_none();
        match self {
            Expect::Ends(reason) => ends(reason),
            Expect::Reset(reason) => served && outcome.resets.get(&1) == Some(&reason),
            Expect::Status(status) => served && outcome.statuses.get(&1) == Some(&Some(status)),
            Expect::Served => served,
            Expect::ServedOrCalmed => served || ends(ENHANCE_YOUR_CALM),
        }
    }
}

/// Sends each on a connection of its own, asks something more, and looks at what comes of both.
pub(super) async fn table(siege: Siege, rows: Vec<(&str, Vec<u8>, Expect)>) {
    for (name, bytes, expected) in rows {
        siege
            .row(name, async |server| {
                let mut http2 = Http2::open(server.addr()).await;
                http2.send(bytes).await;
                http2.send(get(PROBE, "/version")).await;
                let outcome = http2.outcome(expected.streams()).await;
                siege.expect(expected.is_met(&outcome), || format!("{name}: {expected:?}, but {outcome:?}"));
                Box::new(http2) as Held
            })
            .await;
    }
    siege.end().await;
}

/// Something for each of so many streams.
fn streams(count: u32, of: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    (0..count).flat_map(|n| of(2 * n + 1)).collect()
}

#[tokio::test]
async fn streams_that_are_given_up() {
    let each = |more: fn(u32) -> Vec<u8>| streams(STREAMS, |id| [grpc(id, WATCH), more(id)].concat());
    table(
        Siege::start(),
        vec![
            (
                "calls reset at once",
                streams(STREAMS, |id| [get(id, "/version"), reset(id, CANCEL)].concat()),
                Expect::ServedOrCalmed,
            ),
            ("watches reset at once", each(|id| reset(id, CANCEL)), Expect::ServedOrCalmed),
            // Where the server has to reset what it had begun, nothing of that goes on.
            (
                "resets provoked by lengths that are wrong",
                streams(STREAMS, |id| {
                    let head = [request("POST", "/version"), block(&[("content-length", "1")])].concat();
                    [frame(HEADERS, END_HEADERS, id, &head), frame(DATA, END_STREAM, id, b"xx")].concat()
                }),
                Expect::ServedOrCalmed,
            ),
            (
                "resets provoked by heads that are none",
                streams(STREAMS, |id| {
                    let twice = [request("GET", "/version"), block(&[(":path", "/")])].concat();
                    frame(HEADERS, END_HEADERS | END_STREAM, id, &twice)
                }),
                Expect::ServedOrCalmed,
            ),
            ("resets provoked by too much room", each(|id| window_update(id, 0x7fff_ffff)), Expect::ServedOrCalmed),
            (
                "resets provoked by streams that wait for themselves",
                streams(STREAMS, |id| {
                    let itself = [&id.to_be_bytes()[..], &[0], &request("GET", "/version")].concat();
                    frame(HEADERS, END_HEADERS | END_STREAM | 0x20, id, &itself)
                }),
                Expect::ServedOrCalmed,
            ),
            ("resets of what is not there", streams(MANY, |_| reset(1, CANCEL)), Expect::Ends(PROTOCOL_ERROR)),
            (
                "resets of what is over",
                [get(1, "/version"), reset(1, CANCEL).repeat(MANY as usize)].concat(),
                Expect::ServedOrCalmed,
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn frames_without_number() {
    let ping = frame(PING, 0, 0, &[7; 8]);
    let empty = frame(DATA, 0, 1, &[]);
    let all_padding = frame(DATA, PADDED, 1, &[&[200][..], &[0; 200]].concat());
    let calm = Expect::Ends(ENHANCE_YOUR_CALM);
    let many = MANY as usize;
    let opened = |frames: Vec<u8>| [grpc(1, WATCH), frames].concat();
    table(
        Siege::start(),
        vec![
            ("pings", ping.repeat(many), Expect::ServedOrCalmed),
            ("answers to pings that nobody sent", frame(PING, 1, 0, &[7; 8]).repeat(many), Expect::ServedOrCalmed),
            ("settings", setting(4, 65_535).repeat(many), Expect::ServedOrCalmed),
            ("settings without a setting", frame(SETTINGS, 0, 0, &[]).repeat(many), Expect::ServedOrCalmed),
            (
                "acknowledgements of settings that nobody sent",
                frame(SETTINGS, 1, 0, &[]).repeat(many),
                Expect::Ends(PROTOCOL_ERROR),
            ),
            ("settings that nobody knows", setting(0xbeef, 1).repeat(many), Expect::ServedOrCalmed),
            (
                "sizes of the table up and down",
                [setting(1, 0), setting(1, u32::MAX)].concat().repeat(many / 10),
                Expect::ServedOrCalmed,
            ),
            (
                "windows of streams up and down",
                opened([setting(4, 0), setting(4, 0x7fff_ffff)].concat().repeat(many / 10)),
                Expect::ServedOrCalmed,
            ),
            ("priorities", streams(MANY, |id| frame(PRIORITY, 0, id, &[0, 0, 0, 0, 1])), Expect::ServedOrCalmed),
            ("little more room", window_update(0, 1).repeat(many), Expect::ServedOrCalmed),
            ("little more room on a stream", opened(window_update(1, 1).repeat(many)), Expect::ServedOrCalmed),
            ("unknown frames", frame(0xee, 0xff, 0, &[1; 30]).repeat(many), Expect::ServedOrCalmed),
            ("data without a byte", opened(empty.repeat(many)), calm),
            ("data of padding alone", opened(all_padding.repeat(many / 10)), calm),
            ("data byte by byte", opened(frame(DATA, 0, 1, &[0]).repeat(many)), calm),
            (
                "heads in pieces without a byte",
                [frame(HEADERS, 0, 1, &request("GET", "/")), frame(CONTINUATION, 0, 1, &[]).repeat(many)].concat(),
                calm,
            ),
            (
                "heads in pieces of a byte",
                [frame(HEADERS, 0, 1, &[0]), frame(CONTINUATION, 0, 1, &[0]).repeat(many)].concat(),
                Expect::Ends(ENHANCE_YOUR_CALM),
            ),
            ("farewells", frame(GOAWAY, 0, 0, &[0; 8]).repeat(many), Expect::Ends(0)),
        ],
    )
    .await;
}

#[tokio::test]
async fn frames_that_are_wrong() {
    let protocol = Expect::Ends(PROTOCOL_ERROR);
    let watch = || grpc(1, WATCH);
    table(
        Siege::start(),
        vec![
            ("frames of no size at most", setting(5, 0), protocol),
            ("frames of more than may be at most", setting(5, 1 << 24), protocol),
            ("a window of more than may be", setting(4, 1 << 31), protocol),
            ("promises that are neither yes nor no", setting(2, 2), protocol),
            ("a setting of five bytes", frame(SETTINGS, 0, 0, &[0; 5]), protocol),
            ("settings of a stream", frame(SETTINGS, 0, 1, &[]), protocol),
            ("a ping of seven bytes", frame(PING, 0, 0, &[0; 7]), protocol),
            ("a ping of a stream", frame(PING, 0, 1, &[0; 8]), protocol),
            ("a reset of the connection", frame(RST_STREAM, 0, 0, &[0; 4]), protocol),
            ("a reset of three bytes", [watch(), frame(RST_STREAM, 0, 1, &[0; 3])].concat(), protocol),
            ("a head of the connection", frame(HEADERS, END_HEADERS, 0, &request("GET", "/")), protocol),
            ("a head on a stream of the server's", get(2, "/version"), protocol),
            ("a head on a stream from before", [get(5, "/version"), get(3, "/version")].concat(), protocol),
            ("the rest of no head", frame(CONTINUATION, END_HEADERS, 1, &[]), protocol),
            (
                "half a head, then something else",
                [frame(HEADERS, 0, 1, &[]), frame(PING, 0, 0, &[0; 8])].concat(),
                protocol,
            ),
            (
                "half a head, then the rest of another",
                [frame(HEADERS, 0, 1, &[]), frame(CONTINUATION, END_HEADERS, 3, &[])].concat(),
                protocol,
            ),
            ("data of the connection", frame(DATA, 0, 0, b"x"), protocol),
            ("data of no stream", frame(DATA, 0, 1, b"x"), protocol),
            ("more padding than there is", [watch(), frame(DATA, PADDED, 1, &[9, 0])].concat(), protocol),
            ("a promise by a client", frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2]), protocol),
            ("no more room for the connection", window_update(0, 0), protocol),
            (
                "too much room for the connection",
                [window_update(0, 0x7fff_ffff), window_update(0, 1)].concat(),
                Expect::Ends(FLOW_CONTROL_ERROR),
            ),
            ("room for no stream", window_update(1, 1), protocol),
            ("room of three bytes", frame(WINDOW_UPDATE, 0, 0, &[0; 3]), protocol),
            (
                "a frame of sixteen megabytes",
                vec![0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1],
                Expect::Ends(FRAME_SIZE_ERROR),
            ),
            ("a priority below itself", frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 0]), Expect::ServedOrCalmed),
            ("unknown flags", frame(PING, 0xfe, 0, &[0; 8]), Expect::Served),
            ("no more room for a stream", [watch(), window_update(1, 0)].concat(), protocol),
            (
                "too much room for a stream",
                [watch(), window_update(1, 0x7fff_ffff)].concat(),
                Expect::Reset(FLOW_CONTROL_ERROR),
            ),
        ],
    )
    .await;
}
