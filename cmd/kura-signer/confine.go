package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"kura/signer/process"
	"kura/signer/token"
)

// confine narrows the process to what the configuration names. The first time it does not return: the process executes
// itself again, confined.
func confine(c *Config, configPath string) error {
	config, err := filepath.Abs(configPath)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.StateDir, 0o700); err != nil {
		return fmt.Errorf("make the state directory: %w", err)
	}
	paths := process.Paths{
		Read: []string{config, c.Token.Module},
		Write: []string{
			c.StateDir, filepath.Dir(c.Socket), filepath.Dir(c.AdminSocket), filepath.Dir(c.AnchorFile),
		},
		Terminal: c.Token.prompts(),
	}
	read := func(names ...string) {
		for _, name := range names {
			if name != "" {
				paths.Read = append(paths.Read, "?"+name)
			}
		}
	}
	read(c.Token.PINFile, c.softHSMConf(), os.Getenv("CREDENTIALS_DIRECTORY"))
	tokens, err := c.tokenDirectory()
	if err != nil {
		return fmt.Errorf("read SoftHSM's configuration: %w", err)
	}
	if tokens != "" {
		paths.Write = append(paths.Write, tokens)
	}
	switch c.Journal.Kind {
	case journalEmbedded:
		paths.Write = append(paths.Write, filepath.Dir(c.Journal.Path))
	case journalPostgres:
		// Directories, not files: who keeps resolv.conf up to date puts another file in its place, which a wall that was
		// built around the old one keeps out. What a directory holds for others only stays closed by its mode.
		read(c.Journal.DSNFile, "/etc", "/run/systemd/resolve", "/run/resolvconf")
		dsn, err := c.Journal.readDSN()
		if err != nil {
			return err
		}
		if paths.ConnectTCP, err = dsnPorts(dsn); err != nil {
			return fmt.Errorf("the journal's connection string: %w", err)
		}
	}
	return process.Restrict(paths)
}

// logHardening says what the kernel holds for this process, and what it does not.
func logHardening(log *slog.Logger) {
	r := process.Harden()
	log.Info("hardened", "not_dumpable", r.NotDumpable, "no_core", r.NoCore, "no_new_privileges", r.NoNewPrivileges,
		"memory_locked", r.MemoryLocked, "landlock", r.Landlock)
	if !token.ErasesArithmetic {
		r.Weak = append(r.Weak, notErased)
	}
	for _, weak := range r.Weak {
		log.Warn("hardening", "weak", weak)
	}
}

// notErased is what a build lacks that make build did not make.
const notErased = "this binary was built without GOEXPERIMENT=runtimesecret: what the arithmetic on a seed leaves in memory is not erased"

const postgresPort = 5432

// dsnPorts returns the TCP ports that a PostgreSQL connection string names, in both of its forms.
func dsnPorts(dsn string) ([]uint16, error) {
	var texts []string
	if strings.Contains(dsn, "://") {
		u, err := url.Parse(dsn)
		if err != nil {
			return nil, fmt.Errorf("the connection string is not a URL") // the error would print a password
		}
		for host := range strings.SplitSeq(u.Host, ",") {
			if _, port, err := net.SplitHostPort(host); err == nil {
				texts = append(texts, port)
			}
		}
		if port := u.Query().Get("port"); port != "" {
			texts = append(texts, strings.Split(port, ",")...)
		}
	} else {
		for word := range strings.FieldsSeq(dsn) {
			if ports, ok := strings.CutPrefix(word, "port="); ok {
				texts = append(texts, strings.Split(strings.Trim(ports, "'"), ",")...)
			}
		}
	}
	ports := []uint16{}
	for _, text := range texts {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("port %q of the connection string is not a port", text)
		}
		ports = append(ports, uint16(port))
	}
	if len(ports) == 0 {
		ports = append(ports, postgresPort)
	}
	return ports, nil
}
