package dev

import "path/filepath"

// Where things are in the directory.
const (
	signerConfig  = "signer.toml"
	gatewayConfig = "gateway.toml"
	caFile        = "ca.pem"    // the gateway's certificate, and the only one that clients trust
	listenFile    = "listen"    // the gateway's address, chosen at set-up
	genesisFile   = "genesis"   // the line that everybody pins
	signerDir     = "signer"    // token, state, journal, anchor: the signer's alone
	gatewayDir    = "gateway"   // certificate and key: the gateway's alone
	runDir        = "run"       // sockets
	logDir        = "log"       // what both daemons print
	policyDir     = "policy"    // the example policy's versions
	homesDir      = "homes"     // one for each party: key, pinned genesis, what they have seen
	doneFile      = "kura.dev"  // written last
	pinFile       = "token.pin" // in signerDir
	softhsmConfig = "softhsm2.conf"
	journalFile   = "journal.db"
	anchorFile    = "anchor"

	// With PostgreSQL: connection strings of the database's owner and of the service.
	ownerDSN        = "owner.dsn"
	serviceDSN      = "service.dsn"
	servicePassword = "service.password"

	signerSocket = "signer.sock"
	adminSocket  = "admin.sock"
)

// The binaries beside kura.
const (
	signerBinary  = "kura-signer"
	gatewayBinary = "kura-gateway"
)

func (d *deployment) path(parts ...string) string {
	return filepath.Join(append([]string{d.Dir}, parts...)...)
}

func (d *deployment) home(party string) string { return d.path(homesDir, party) }

func (d *deployment) binary(name string) string { return filepath.Join(d.Binaries, name) }
