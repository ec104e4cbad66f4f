package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"

	"kura/journal"
	"kura/journal/cosign"
	"kura/statement"
	"kura/witness"
)

func newWitness() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "witness",
		Short: "Run a witness: it cosigns the journal's heads, somewhere else",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newWitnessKey(), newWitnessServe(), newWitnessResume(), newWitnessGap())
	return cmd
}

func newWitnessKey() *cobra.Command {
	var name, out string
	cmd := &cobra.Command{
		Use:   "key --name NAME --out FILE",
		Short: "Make a witness key; prints the line by which signers and auditors pin it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if name == "" || out == "" {
				return usagef("give --name (like witness.example/kura) and --out")
			}
			public, private, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				return fmt.Errorf("making the witness key: %w", err)
			}
			key := cosign.Key{Name: name, Public: [ed25519.PublicKeySize]byte(public)}
			if _, err := cosign.ParseKey(key.String()); err != nil {
				return usagef("--name: %w", err)
			}
			der, err := x509.MarshalPKCS8PrivateKey(private)
			if err != nil {
				return err
			}
			f, err := os.OpenFile(out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if err != nil {
				return fmt.Errorf("writing the witness key: %w", err)
			}
			if err := errors.Join(pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der}), f.Sync(), f.Close()); err != nil {
				return fmt.Errorf("writing the witness key: %w", err)
			}
			fmt.Fprintln(cmd.OutOrStdout(), key)
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "the witness's name, as it stands in its signature lines")
	cmd.Flags().StringVar(&out, "out", "", "file for the private key (PKCS #8 PEM; must not exist)")
	return cmd
}

// witnessFile is the configuration of a witness. Paths are relative to it.
type witnessFile struct {
	Genesis  string            `toml:"genesis"`
	Name     string            `toml:"name"`
	Key      string            `toml:"key"`
	State    string            `toml:"state"`
	Listen   string            `toml:"listen"`
	Relay    string            `toml:"relay"`    // URL of a gateway that freezes are passed on to, or ""
	RelayCA  string            `toml:"relay_ca"` // its CA certificate
	Stoppers map[string]string `toml:"stoppers"` // person → OpenSSH public key
}

func readWitnessFile(name string) (witnessFile, error) {
	var f witnessFile
	meta, err := toml.DecodeFile(name, &f)
	if err != nil {
		return f, fmt.Errorf("reading %s: %w", name, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return f, fmt.Errorf("%s: %s is not a setting of a witness", name, unknown[0])
	}
	for field, value := range map[string]string{"genesis": f.Genesis, "name": f.Name, "key": f.Key, "state": f.State, "listen": f.Listen} {
		if value == "" {
			return f, fmt.Errorf("%s: %s is missing", name, field)
		}
	}
	dir := filepath.Dir(name)
	f.Key, f.State = within(dir, f.Key), within(dir, f.State)
	if f.RelayCA != "" {
		f.RelayCA = within(dir, f.RelayCA)
	}
	return f, nil
}

func (f witnessFile) open() (*witness.Witness, error) {
	genesis, err := journal.ParseGenesis(f.Genesis)
	if err != nil {
		return nil, err
	}
	text, exposed, err := readKey(f.Key)
	if err != nil {
		return nil, fmt.Errorf("reading the witness key: %w", err)
	}
	defer clear(text)
	if exposed != nil {
		return nil, exposed
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is not a PEM file", f.Key)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("%s does not hold an Ed25519 key in PKCS #8", f.Key)
	}
	key := cosign.Key{Name: f.Name, Public: [ed25519.PublicKeySize]byte(private[ed25519.SeedSize:])}
	return witness.Open(genesis, key, private, f.State, time.Now)
}

func (f witnessFile) stoppers() (witness.Stoppers, error) {
	stoppers := witness.Stoppers{}
	for who, text := range f.Stoppers {
		key, err := statement.ParseKey(text)
		if err != nil {
			return nil, fmt.Errorf("stoppers: %s: %w", who, err)
		}
		stoppers[key] = who
	}
	return stoppers, nil
}

// relay returns what passes a freeze on to the gateway, nil if there is none. It asks again, with the same text, until
// an answer comes or the freeze has expired.
func (f witnessFile) relay(log *slog.Logger) (func([]byte), error) {
	if f.Relay == "" {
		return nil, nil
	}
	config, err := trustOnly(f.RelayCA)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}}
	return func(envelope []byte) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(statement.MaxLife(statement.TypeFreeze))*time.Millisecond)
		defer cancel()
		for {
			status, err := post(ctx, client, f.Relay+"/v1/freezes", envelope)
			switch {
			case err == nil && status < http.StatusMultipleChoices:
				log.Info("freeze relayed", "status", status)
				return
			case err == nil && status < http.StatusInternalServerError && status != http.StatusTooManyRequests:
				log.Error("freeze refused by the signer", "status", status)
				return
			}
			log.Error("freeze not relayed: the gateway is asked again", "status", status, "reason", err)
			select {
			case <-time.After(relayAgain):
			case <-ctx.Done():
				return
			}
		}
	}, nil
}

// relayAgain is how long a gateway that did not take a freeze is left alone; relayWait is how long it may take.
const relayAgain, relayWait = 5 * time.Second, 10 * time.Second

func post(ctx context.Context, client *http.Client, url string, body []byte) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, relayWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func newWitnessServe() *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:   "serve --config FILE",
		Short: "Cosign heads (C2SP tlog-witness) until stopped",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := readWitnessFile(config)
			if err != nil {
				return usageError(err)
			}
			w, err := f.open()
			if err != nil {
				return err
			}
			stoppers, err := f.stoppers()
			if err != nil {
				return usageError(err)
			}
			log := slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), nil))
			relay, err := f.relay(log)
			if err != nil {
				return err
			}
			listener, err := (&net.ListenConfig{}).Listen(cmd.Context(), "tcp", f.Listen)
			if err != nil {
				return fmt.Errorf("listening: %w", err)
			}
			srv := &http.Server{Handler: w.Handler(stoppers, relay, log), ReadTimeout: witness.ReadTimeout, WriteTimeout: witness.WriteTimeout, MaxHeaderBytes: 8 << 10}
			go func() {
				<-cmd.Context().Done()
				_ = srv.Close() // a request that is cut off is asked again; what it cosigned is durable
			}()
			fmt.Fprintf(cmd.OutOrStdout(), "witness key: %s\n", w.Key())
			if why := w.Stopped(); why != "" {
				fmt.Fprintf(cmd.OutOrStdout(), "STOPPED, cosigns nothing: %s\n", why)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "ready http://%s\n", listener.Addr())
			if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&config, "config", "witness.toml", "configuration (docs/cli.md describes it)")
	return cmd
}

func newWitnessResume() *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:   "resume --config FILE",
		Short: "Let a witness that was told to stop cosign again (while it is not running)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := readWitnessFile(config)
			if err != nil {
				return usageError(err)
			}
			w, err := f.open()
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "was stopped: %s\n", statement.Quote(w.Stopped(), 300))
			return w.Resume()
		},
	}
	cmd.Flags().StringVar(&config, "config", "witness.toml", "configuration of the witness")
	return cmd
}
