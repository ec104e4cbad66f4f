package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"

	"kura/cmd/kura-signer/host"
	"kura/journal"
	"kura/journal/anchorfile"
	"kura/signer"
	"kura/signer/rpc"
	"kura/signer/token"
)

// Bounds of the two sockets.
const (
	gatewayInFlight    = 2 * signer.MaxWaits // as many calls as wait find a place besides
	gatewayConnections = 16
	adminInFlight      = 8
	adminConnections   = 8
)

// snapshotWorth is how many entries are always folded anew at a start: a second or two of work.
const snapshotWorth = 50_000

// serve is the daemon.
func serve(ctx context.Context, in *invocation) error {
	var configPath string
	if err := in.flags("serve", func(f *flag.FlagSet) { f.StringVar(&configPath, "config", "", "configuration file") }, "config"); err != nil {
		return err
	}
	c, err := setUp(configPath)
	if err != nil {
		return err
	}
	level, err := c.level()
	if err != nil {
		return err
	}
	if err := startRelay(c); err != nil {
		return err
	}
	if err := confine(c, configPath); err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(in.stderr, &slog.HandlerOptions{Level: level}))
	logHardening(log)
	unlock, err := lockState(c.StateDir)
	if err != nil {
		return err
	}
	defer unlock()
	d := &daemon{config: c, log: log}
	defer d.close()
	if err := d.open(ctx); err != nil {
		return err
	}
	return d.run(ctx)
}

// A daemon is the running signer with all that it holds open.
type daemon struct {
	config *Config
	log    *slog.Logger

	token  *token.Token
	store  store
	signer *signer.Signer
	alarms *alarms
}

// open opens the token first: without it there is nothing to do, and its genesis says which journal is ours.
func (d *daemon) open(ctx context.Context) (err error) {
	c := d.config
	if d.token, err = openToken(ctx, c, d.log); err != nil {
		return err
	}
	if d.store, err = openStore(ctx, c.Journal); err != nil {
		return err
	}
	config, err := signerConfig(ctx, c, d.token, d.store)
	if err != nil {
		return err
	}
	if config.Lease, err = leaseOf(c.Journal, d.store); err != nil {
		return err
	}
	d.alarms = newAlarms(d.log)
	config.Log, config.Warnings, config.Alarm = d.log, d.warnings(), d.alarms.raise
	config.Snapshots = signer.Snapshots{Dir: c.StateDir, Worth: snapshotWorth}
	d.signer, err = signer.Open(ctx, config)
	return err
}

// signerConfig is what every process that writes the journal writes to, reads its time from and starts from.
func signerConfig(ctx context.Context, c *Config, t *token.Token, s store) (signer.Config, error) {
	genesis, err := genesisOf(ctx, c, t, s)
	if err != nil {
		return signer.Config{}, err
	}
	clock, err := host.NewMachineClock()
	if err != nil {
		return signer.Config{}, err
	}
	witnesses, err := c.witnesses()
	if err != nil {
		return signer.Config{}, err
	}
	return instrument(signer.Config{
		Genesis: genesis, Store: s, Token: host.Keys{Token: t}, Witnesses: witnesses, Clock: clock, Version: version,
		Anchors: []journal.Anchor{anchorfile.New(c.AnchorFile)}, TokenAnchor: host.Anchor{Token: t},
	}), nil
}

// rollbackUnbounded is said wherever nobody keeps the newest head out of this host's reach.
const rollbackUnbounded = "rollback of this host: unbounded: no witness elsewhere keeps the newest head, so nobody would notice"

// warnings are what stays true while this process runs and does not stop it.
func (d *daemon) warnings() []rpc.Reason {
	var w []rpc.Reason
	if len(d.config.Witnesses) == 0 {
		w = append(w, rpc.Reason{Code: "no_witness", Detail: rollbackUnbounded})
	}
	if leak := d.token.Leak(); leak != "" {
		w = append(w, rpc.Reason{
			Code:   "token_leaky",
			Detail: "the token gives private keys to whoever has its PIN (" + leak + "); accepted because: " + d.config.Token.AcceptLeakyToken,
		})
	}
	return w
}

// run serves both sockets until ctx ends or something breaks that only a restart cures.
func (d *daemon) run(ctx context.Context) error {
	c := d.config
	gateway, err := rpc.Listen(c.Socket, uint32(*c.GatewayUID)) // Validate holds it to a user's number
	if err != nil {
		return fmt.Errorf("listen for the gateway: %w", err)
	}
	admin, err := rpc.Listen(c.AdminSocket, uint32(os.Geteuid()))
	if err != nil {
		return errors.Join(fmt.Errorf("listen for the administrator: %w", err), gateway.Close())
	}
	// The sockets outlive the signer: what it still has in hand when it is told to end is answered.
	signing, stopSigning := context.WithCancel(ctx)
	defer stopSigning()
	listening, stopListening := context.WithCancel(context.WithoutCancel(ctx))
	defer stopListening()
	ended := make(chan error, 3)
	go func() {
		defer stopListening()
		ended <- named("signer", d.signer.Run(signing))
	}()
	listen := func(what string, l *net.UnixListener, s rpc.Server) {
		s.Log = d.log
		go func() {
			defer stopSigning()
			ended <- named(what, s.Serve(listening, l))
		}()
	}
	forGateway := rpc.GatewayMethods(gatewayOf(d.signer))
	maps.Copy(forGateway, rpc.WitnessMethods(d.signer))
	listen("gateway's socket", gateway, rpc.Server{
		Methods: forGateway, Allow: []uint32{uint32(*c.GatewayUID)},
		InFlight: gatewayInFlight, Connections: gatewayConnections,
	})
	listen("administrator's socket", admin, rpc.Server{
		Methods: rpc.AdminMethods(d.signer.Admin()), Allow: []uint32{0, uint32(os.Geteuid())},
		InFlight: adminInFlight, Connections: adminConnections, Secrets: true,
	})
	d.log.Info("serving", "version", version, "genesis", d.signer.Genesis().String(), "socket", c.Socket, "admin_socket", c.AdminSocket)
	var errs []error
	for range cap(ended) {
		errs = append(errs, <-ended)
	}
	d.log.Info("ended")
	return errors.Join(errs...)
}

// named says of an error where it comes from.
func named(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// close lets go of everything, the token last: nothing can be signed any more by then.
func (d *daemon) close() {
	if d.alarms != nil {
		d.alarms.close()
	}
	if d.store != nil {
		if err := d.store.Close(); err != nil {
			d.log.Error("close the store", "error", err)
		}
	}
	if d.token != nil {
		if err := d.token.Close(); err != nil {
			d.log.Error("close the token", "error", err)
		}
	}
}
