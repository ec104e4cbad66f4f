package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"kura/signer/token"
)

// openPIN reads the PIN from where the configuration says; without a word there, from the terminal.
func openPIN(ctx context.Context, c TokenConfig) (*token.PIN, error) {
	switch {
	case c.PINFile != "":
		return token.ReadPINFile(c.PINFile)
	case c.PINFD != nil:
		return fromDescriptor(ctx, int(*c.PINFD), token.ReadPINFD)
	case c.PINCredential != "":
		return token.ReadPINCredential(c.PINCredential)
	}
	terminal, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("no PIN is configured (token.pin_file, pin_fd or pin_credential) and there is no terminal to ask on: %w", err)
	}
	defer terminal.Close() // it was only asked on
	return answer(ctx, terminal, func() (*token.PIN, error) { return token.PromptPIN(terminal, "PIN of token "+c.Label+": ") })
}

// prompts tells whether the PIN is asked for on the terminal: the configuration names no other source.
func (c TokenConfig) prompts() bool {
	return c.PINFile == "" && c.PINFD == nil && c.PINCredential == ""
}

// tokenConfig is the token's part of the configuration, without a PIN. A nil log is the default one.
func (c *Config) tokenConfig(log *slog.Logger) (token.Config, error) {
	if c.Token.SoftHSMConf != "" {
		// SoftHSM would only say "general error".
		if err := unix.Access(c.Token.SoftHSMConf, unix.R_OK); err != nil {
			return token.Config{}, fmt.Errorf("token.softhsm_conf: %s: %w (softhsm/init.sh makes it)", c.Token.SoftHSMConf, err)
		}
		if err := os.Setenv("SOFTHSM2_CONF", c.Token.SoftHSMConf); err != nil {
			return token.Config{}, err
		}
	}
	if log == nil {
		log = slog.Default()
	}
	return token.Config{
		Log: log, Module: c.Token.Module, Label: c.Token.Label, Sessions: c.Token.Sessions, StateDir: c.StateDir,
		AcceptLeakyToken: c.Token.AcceptLeakyToken,
		Enter:            func() (func(), error) { return c.enterTokens(log) }, Settle: c.settleTokens,
	}, nil
}

func openToken(ctx context.Context, c *Config, log *slog.Logger) (*token.Token, error) {
	return openTokenBy(ctx, c, log, token.Open)
}

func openTokenBy(ctx context.Context, c *Config, log *slog.Logger, open func(context.Context, token.Config) (*token.Token, error)) (*token.Token, error) {
	config, err := c.tokenConfig(log)
	if err != nil {
		return nil, err
	}
	if config.PIN, err = openPIN(ctx, c.Token); err != nil {
		return nil, err
	}
	return open(ctx, config)
}

// softHSMConf is SoftHSM's configuration file; "" if none is named.
func (c *Config) softHSMConf() string {
	if c.Token.SoftHSMConf != "" {
		return c.Token.SoftHSMConf
	}
	return os.Getenv("SOFTHSM2_CONF")
}

// tokenDirectory is where SoftHSM keeps its files; "" with another module.
func (c *Config) tokenDirectory() (string, error) {
	conf := c.softHSMConf()
	if conf == "" {
		return "", nil
	}
	f, err := os.Open(conf)
	if err != nil {
		return "", err
	}
	defer f.Close() // it was only read
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok && strings.TrimSpace(name) == "directories.tokendir" {
			return strings.TrimSpace(value), nil
		}
	}
	return "", nil
}
