// Command kura-gateway is the REST daemon: it faces the network and carries signed statements to the
// signer's socket. It runs as a user of its own that can reach that socket, its TLS files and nothing else
// of Kura; it refuses to run as root.
//
//	kura-gateway --config FILE [--check]
//
// docs/rest.md describes what it serves, config.go its configuration. SIGHUP reads the TLS files again,
// SIGTERM and SIGINT end it after the requests that are under way.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"kura/api"
	"kura/signer/process"
	"kura/signer/rpc"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	d := daemon{restrict: process.Restrict, confine: confine, euid: os.Geteuid(), reload: reload}
	os.Exit(d.run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// A daemon is what run takes from its process, so that tests can run one inside theirs.
type daemon struct {
	restrict func(process.Paths) error // which executes the program again, confined
	confine  func() error
	euid     int
	reload   <-chan os.Signal
}

// run serves until ctx ends, and returns the exit code.
func (d daemon) run(ctx context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("kura-gateway", flag.ContinueOnError)
	flags.SetOutput(stderr)
	file := flags.String("config", "", "configuration `file` (TOML)")
	check := flags.Bool("check", false, "check the configuration and the TLS files, then stop")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return exitOK
	} else if err != nil {
		return exitUsage
	}
	if *file == "" || flags.NArg() > 0 {
		complain(stderr, "want --config FILE and nothing else")
		return exitUsage
	}
	cfg, err := loadConfig(*file)
	if err != nil {
		complain(stderr, "%s: %v", *file, err)
		return exitFailed
	}
	certificate, err := loadCertificate(cfg.TLS)
	if err != nil {
		complain(stderr, "%s: %v", *file, err)
		return exitFailed
	}
	if *check {
		if _, err := fmt.Fprintf(stdout, "%s: ok\n", *file); err != nil {
			return exitFailed
		}
		return exitOK
	}
	if d.euid == 0 && cfg.AcceptRoot == "" {
		complain(stderr, "runs as root: it faces the network, so give it a user of its own (and name that user's number in signer.toml)")
		return exitFailed
	}
	paths, err := cfg.reach(*file)
	if err == nil {
		err = d.restrict(paths)
	}
	if err != nil {
		complain(stderr, "confine the process: %v", err)
		return exitFailed
	}
	log := slog.New(cfg.Log.handler(stderr))
	if err := d.serve(ctx, cfg, certificate, log); err != nil {
		log.Error("stopped", "error", err.Error())
		return exitFailed
	}
	return exitOK
}

// complain tells why the daemon does not start.
func complain(stderr io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(stderr, "kura-gateway: "+format+"\n", args...) // nobody reads it where this fails
}

// serve makes the parts and runs them until ctx ends.
func (d daemon) serve(ctx context.Context, cfg *config, certificate *certificate, log *slog.Logger) error {
	signer := rpc.NewGatewayClient(cfg.Signer)
	defer signer.Close()
	gateway, err := api.New(signer, cfg.api(), log)
	if err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	couriers, err := newCouriers(cfg.Witnesses, signer, log)
	if err != nil {
		return err
	}
	listener, err := listen(ctx, cfg, cfg.Listen)
	if err != nil {
		return err
	}
	defer listener.Close() // for the second time, once it has served
	if cfg.Metrics.Listen != "" {
		metrics, err := listen(ctx, cfg, cfg.Metrics.Listen)
		if err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
		defer metrics.Close()
		log.Info("serving metrics", "address", metrics.Addr().String())
		go serveMetrics(ctx, metrics, gateway, log)
	}
	if err := d.confine(); err != nil {
		return fmt.Errorf("confine the process: %w", err)
	}
	if abi := process.ConfinedBy(); abi > 0 {
		log.Info("confined", "landlock", abi)
	} else {
		log.Warn("not confined by Landlock: this kernel has none")
	}
	go certificate.reloadOn(ctx, d.reload, log)
	for _, c := range couriers {
		go c.Run(ctx)
	}
	return serve(ctx, cfg, gateway, certificate, listener, log)
}
