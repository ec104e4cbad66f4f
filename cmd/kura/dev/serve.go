package dev

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"kura/api/client"
	"kura/journal"
	"kura/policy/source"
)

// serve starts both daemons, finishes a fresh set-up, prints where things are and
// waits for the context's or a daemon's end.
func (d *deployment) serve(ctx context.Context, fresh bool) error {
	d.now("kura-signer and kura-gateway")
	signer, err := startDaemon(signerBinary, d.path(logDir, "signer.log"), d.users.signer, d.binary(signerBinary), "serve", "--config", d.path(signerConfig))
	if err != nil {
		return err
	}
	defer signer.stop()
	listening := func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", d.path(runDir, signerSocket))
		if err != nil {
			return err
		}
		return conn.Close()
	}
	if err := signer.untilReady(ctx, startTimeout, listening); err != nil {
		return err
	}
	gateway, err := startDaemon(gatewayBinary, d.path(logDir, "gateway.log"), d.users.gateway, d.binary(gatewayBinary), "--config", d.path(gatewayConfig))
	if err != nil {
		return err
	}
	defer gateway.stop()
	g, c, err := d.client()
	if err != nil {
		return err
	}
	defer c.Close()
	answers := func(ctx context.Context) error {
		ready, err := c.Ready(ctx)
		if err == nil && !ready.Ready {
			err = fmt.Errorf("not ready: %+v", ready.Reasons)
		}
		return err
	}
	if err := gateway.untilReady(ctx, startTimeout, answers); err != nil {
		return err
	}
	if fresh {
		if err := d.finish(ctx, g, c); err != nil {
			return err
		}
	}
	d.whereThingsAre(g)
	d.say("ready https://%s", d.Listen)
	select {
	case <-ctx.Done():
		return nil
	case <-signer.done:
		return fmt.Errorf("kura-signer ended: %w; see %s", errors.Join(signer.err), signer.log.Name())
	case <-gateway.done:
		return fmt.Errorf("kura-gateway ended: %w; see %s", errors.Join(gateway.err), gateway.log.Name())
	}
}

// client returns a client of this deployment's gateway, under its genesis.
func (d *deployment) client() (journal.Genesis, *client.Client, error) {
	line, err := os.ReadFile(d.path(genesisFile))
	if err != nil {
		return journal.Genesis{}, nil, err
	}
	g, err := journal.ParseGenesis(strings.TrimSpace(string(line)))
	if err != nil {
		return g, nil, err
	}
	pem, err := os.ReadFile(d.path(caFile))
	if err != nil {
		return g, nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return g, nil, errors.New(caFile + " holds no certificate")
	}
	c, err := client.New(client.Config{URL: "https://" + d.Listen, Genesis: g, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}})
	return g, c, err
}

func (d *deployment) whereThingsAre(g journal.Genesis) {
	d.say("")
	d.say("genesis     %s", g)
	d.say("directory   %s", d.Dir)
	d.say("homes       %s (%s)", d.path(homesDir), strings.Join(source.DevParties, ", "))
	d.say("policy      %s", d.path(policyDir))
	d.say("logs        %s", d.path(logDir))
	d.say("")
	d.say("A withdrawal, signed by the client's key and posted with curl:")
	d.say("  %s --home %s withdraw --wallet hot-xem \\", relative(d.binary("kura")), relative(d.home("backend")))
	d.say("    --to %s --amount '12.5 XEM' \\", examplePayee)
	d.say("    --message customer-1029 --print |")
	d.say("  curl --cacert %s --json @- \\", relative(d.path(caFile)))
	d.say("    https://%s/v1/withdrawals", d.Listen)
	d.say("")
}

// relative shortens a path for people, where it lies below the working directory.
func relative(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	short, err := filepath.Rel(wd, path)
	if err != nil || strings.HasPrefix(short, "..") {
		return path
	}
	return short
}
