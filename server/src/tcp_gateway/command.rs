//! What can be typed behind `keyport gateway`, and instead of `grpc-proxy`.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgAction, CommandFactory, Parser, Subcommand};

use super::discovery::Discovery;
use super::endpoint::{self, Endpoint};
use super::pool::Pool;
use super::serve::serve;
use crate::command_line;
use crate::config::{Url, parse_duration};
use crate::net::{self, Handed, Names};
use crate::service_manager::{self, Stage};

const NAME: &str = "gateway";
/// What etcd has beside it.
const GRPC_PROXY: &str = "grpc-proxy";
/// As in etcd, where no delay is none at all.
const DELAY_OF_ZERO: Duration = Duration::from_secs(300);

#[derive(Debug, Parser)]
#[command(name = "gateway", bin_name = "keyport gateway", about = "Passes connections on to the members of a cluster")]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the gateway
    Start(Start),
}

/// As `etcd gateway start` has it.
#[derive(Debug, clap::Args)]
struct Start {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:23790")]
    listen_addr: String,
    /// Members, comma separated
    #[arg(long, default_value = "127.0.0.1:2379", value_delimiter = ',')]
    endpoints: Vec<String>,
    /// Domain whose SRV records name the members, instead
    #[arg(long, default_value = "")]
    discovery_srv: String,
    /// Follows the name of the service that is looked for
    #[arg(long, default_value = "", requires = "discovery_srv")]
    discovery_srv_name: String,
    /// Take members of SRV records that show no certificate for the domain
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = ArgAction::Set)]
    insecure_discovery: bool,
    /// Who vouches for the members of SRV records; the system if not given
    #[arg(long)]
    trusted_ca_file: Option<PathBuf>,
    /// How long a member that could not be reached is left out
    #[arg(long, default_value = "1m0s", value_parser = |text: &str| parse_duration(text).ok_or("no duration such as 1m0s or 500ms"))]
    retry_delay: Duration,
}

/// What is to be done.
#[derive(Debug)]
pub struct Gateway {
    listen: Url,
    endpoints: Vec<Endpoint>,
    discovery: Option<Discovery>,
    retry_delay: Duration,
}

/// What can be typed, for whoever describes it.
pub(crate) fn shape() -> clap::Command {
    Line::command()
}

/// Whether a command line asks for this.
pub fn is_asked_for(args: &[String]) -> bool {
    [NAME, GRPC_PROXY].iter().any(|name| command_line::asks_for(args, name))
}

/// What was typed; `None` if that asks for help, which is written.
///
/// # Errors
/// What was typed wrongly, in a line or more for whoever typed it.
pub fn read(args: &[String], out: &mut dyn Write) -> Result<Option<Gateway>, Box<dyn Error>> {
    if command_line::asks_for(args, GRPC_PROXY) {
        return Err("there is no grpc-proxy here: clients may speak to any member, over gRPC and HTTP alike, and members share what \
                    they send to watchers of the same keys; `keyport gateway start` passes connections on to a cluster"
            .into());
    }
    let Some(Line { command: Command::Start(start) }) = command_line::parse(args, out)? else { return Ok(None) };
    let listen = endpoint::parse_listen(&start.listen_addr)?;
    let endpoints = start.endpoints.iter().filter(|text| !text.is_empty()).map(|text| Endpoint::parse(text));
    let endpoints = endpoints.collect::<Result<Vec<_>, _>>()?;
    let discovery = (!start.discovery_srv.is_empty()).then_some(Discovery {
        domain: start.discovery_srv,
        suffix: start.discovery_srv_name,
        insecure: start.insecure_discovery,
        trusted_ca: start.trusted_ca_file,
    });
    if endpoints.is_empty() && discovery.is_none() {
        return Err("no endpoints found".into());
    }
    let retry_delay = if start.retry_delay.is_zero() { DELAY_OF_ZERO } else { start.retry_delay };
    Ok(Some(Gateway { listen, endpoints, discovery, retry_delay }))
}

impl Gateway {
    /// Serves until `shutdown`. Connections end with it. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When there is nobody to pass connections on to, or nobody can listen there.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), Box<dyn Error>> {
        tokio::pin!(shutdown);
        let prepared = async {
            let endpoints = match &self.discovery {
                Some(discovery) => discovery.find(&Names::dns()?).await?,
                None => self.endpoints,
            };
            endpoint::check(&self.listen, &endpoints).await?;
            Ok::<_, Box<dyn Error>>(endpoints)
        };
        let endpoints = tokio::select! {
            endpoints = prepared => endpoints?,
            () = &mut shutdown => return Ok(()),
        };
        let listen = &self.listen;
        let descriptors = service_manager::descriptors()?;
        let mut handed = Handed::of(descriptors.into_iter().map(|descriptor| (descriptor.name, descriptor.fd)))?;
        let listener = net::listen(listen, &mut handed)
            .map_err(|error| format!("cannot listen on {}: {error}", listen.authority()))?;
        handed.are_all_taken()?;
        let places: Vec<String> = endpoints.iter().map(|endpoint| endpoint.url.authority()).collect();
        let address = listener.local_addr()?;
        tracing::info!(%address, endpoints = ?places, "ready to proxy client requests");
        service_manager::tell(Stage::Ready);
        // All of it is tasks of one runtime.
        let watched = service_manager::watched_over(async |_| _ = tokio::spawn(async {}).await);
        tokio::select! {
            never = watched => match never {},
            () = serve(listener, Arc::new(Pool::new(endpoints)), self.retry_delay) => {}
            () = shutdown => {}
        }
        service_manager::tell(Stage::Stopping);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway(args: &[&str]) -> Result<Gateway, String> {
        let args: Vec<String> = ["gateway", "start"].iter().chain(args).map(|arg| (*arg).to_owned()).collect();
        read(&args, &mut std::io::sink()).map(|gateway| gateway.unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_are_those_of_etcd() {
        let plain = gateway(&[]).unwrap();
        assert_eq!(plain.listen.authority(), "127.0.0.1:23790");
        assert_eq!(plain.endpoints, [Endpoint::parse("127.0.0.1:2379").unwrap()]);
        assert!(plain.discovery.is_none() && plain.retry_delay == Duration::from_secs(60));
        let all = gateway(&[
            "--listen-addr=[::1]:1",
            "--endpoints",
            "http://a:1,b",
            "--discovery-srv=example.test",
            "--discovery-srv-name=x",
            "--insecure-discovery",
            "--trusted-ca-file=ca.pem",
            "--retry-delay=1.5s",
        ])
        .unwrap();
        assert_eq!(all.listen.authority(), "[::1]:1");
        assert_eq!(all.endpoints.len(), 2);
        let discovery = all.discovery.unwrap();
        assert!(discovery.insecure && discovery.suffix == "x" && discovery.trusted_ca.is_some());
        assert_eq!(all.retry_delay, Duration::from_millis(1500));
        assert!(!gateway(&["--discovery-srv=a", "--insecure-discovery=false"]).unwrap().discovery.unwrap().insecure);
        assert_eq!(gateway(&["--retry-delay=0"]).unwrap().retry_delay, DELAY_OF_ZERO);
    }

    #[test]
    fn what_is_typed_wrongly_is_said() {
        assert!(gateway(&["--retry-delay=60"]).unwrap_err().contains("1m0s"));
        assert!(gateway(&["--endpoints=::1"]).unwrap_err().contains("error parsing endpoint"));
        assert!(gateway(&["--endpoints="]).unwrap_err().contains("no endpoints found"));
        assert!(gateway(&["extra"]).unwrap_err().contains("extra"));
        let proxy = read(&["grpc-proxy".to_owned(), "start".to_owned()], &mut std::io::sink()).unwrap_err();
        assert!(
            proxy.to_string().contains("no grpc-proxy here") && proxy.to_string().contains("keyport gateway start")
        );
    }
}
