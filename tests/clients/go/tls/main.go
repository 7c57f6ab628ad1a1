// A client of etcd's own in Go, over TLS. Usage `tls HOST:PORT CA CERT KEY`; the last two may be empty. It puts, gets and
// watches, and says what is wrong. With a URL in the first place it asks for that, as etcd's members ask each other.
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// The client goes on trying whatever is wrong with a connection; this says it.
func greet(endpoint string, config *tls.Config) error {
	config.NextProtos = []string{"h2"}
	connection, err := tls.Dial("tcp", endpoint, config)
	if err != nil {
		return err
	}
	defer connection.Close()
	if _, err := io.WriteString(connection, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
		return err
	}
	// Who is not let in hears of it here.
	_, err = io.ReadFull(connection, make([]byte, 9))
	return err
}

func run(endpoint, ca, cert, key string) error {
	files := transport.TLSInfo{TrustedCAFile: ca, CertFile: cert, KeyFile: key}
	config, err := files.ClientConfig()
	if err != nil {
		return err
	}
	if err := greet(endpoint, config.Clone()); err != nil {
		return err
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{endpoint},
		TLS:       config,
		Logger:    zap.NewNop(),
	})
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	events := client.Watch(clientv3.WithRequireLeader(ctx), "go/", clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	if created := <-events; !created.Created {
		return fmt.Errorf("no watcher: %w", created.Err())
	}
	if _, err := client.Put(ctx, "go/a", "1"); err != nil {
		return err
	}
	found, err := client.Get(ctx, "go/", clientv3.WithPrefix())
	if err != nil {
		return err
	}
	if len(found.Kvs) != 1 || string(found.Kvs[0].Value) != "1" {
		return fmt.Errorf("found %v", found.Kvs)
	}
	if seen := <-events; len(seen.Events) != 1 {
		return fmt.Errorf("saw %v: %w", seen.Events, seen.Err())
	}
	return nil
}

func ask(url, ca, cert, key string) error {
	files := transport.TLSInfo{TrustedCAFile: ca, CertFile: cert, KeyFile: key}
	transport, err := transport.NewTransport(files, 5*time.Second)
	if err != nil {
		return err
	}
	client := http.Client{Transport: transport, Timeout: 20 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", answer.Status)
	}
	return nil
}

func main() {
	do := run
	if strings.HasPrefix(os.Args[1], "https://") {
		do = ask
	}
	if err := do(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
