package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/pkcs11"

	"kura/nem"
)

// WalletInfo is one wallet that the token or the state directory holds.
type WalletInfo struct {
	Name      string
	Network   nem.Network
	Custody   Custody
	PublicKey nem.PublicKey
	Address   nem.Address
	Imported  bool
	Problem   string // why it cannot be used; empty when it can
}

// Wallets lists the wallets that carry Kura's labels in the token and those that
// are sealed in the state directory, by name. One that is bound to another genesis
// or whose key is not as it has to be is listed with its problem.
func (t *Token) Wallets() ([]WalletInfo, error) {
	genesis, _ := t.Genesis()
	wallets, err := answer(context.Background(), t, "list wallets", func(s *session) ([]WalletInfo, error) {
		return s.tokenWallets(genesis)
	})
	if err != nil {
		return nil, err
	}
	names, err := sealedNames(t.config.StateDir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		wallets = append(wallets, t.sealedInfo(name, genesis))
	}
	slices.SortFunc(wallets, func(a, b WalletInfo) int { return strings.Compare(a.Name, b.Name) })
	return wallets, nil
}

// Wallet is what Wallets would say of one wallet; ErrNoKey when there is none.
func (t *Token) Wallet(ctx context.Context, name string) (WalletInfo, error) {
	genesis, _ := t.Genesis()
	network, there, err := t.networkOf(name)
	switch {
	case err != nil:
		return WalletInfo{}, err
	case !there:
		return WalletInfo{}, fmt.Errorf("wallet %q: %w", name, ErrNoKey)
	case CustodyOf(network) != CustodyToken:
		return t.sealedInfo(name, genesis), nil
	}
	return answer(ctx, t, "find wallet "+name, func(s *session) (WalletInfo, error) {
		id, label := walletKeyID(genesis, network, name), walletLabel(network, name)
		key, err := s.findKey(id, s.quirk.without(ed25519PrivateTemplate(label, id)))
		return tokenInfo(name, network, key, err)
	})
}

// networkOf looks a name up among all wallets, whatever their state. A sealed
// wallet whose file cannot be read still takes its name.
func (t *Token) networkOf(name string) (network nem.Network, there bool, err error) {
	names, err := sealedNames(t.config.StateDir)
	if err != nil {
		return 0, false, err
	}
	if slices.Contains(names, name) {
		if b, err := readBlob(t.config.StateDir, name); err == nil {
			network = b.network
		}
		return network, true, nil
	}
	labels, err := answer(context.Background(), t, "list wallets", (*session).walletLabels)
	if err != nil {
		return 0, false, err
	}
	for _, label := range labels {
		if network, labelled, ok := parseWalletLabel(label.text); ok && labelled == name {
			return network, true, nil
		}
	}
	return 0, false, nil
}

func (t *Token) sealedInfo(name string, genesis [32]byte) WalletInfo {
	info := WalletInfo{Name: name, Custody: CustodySealed}
	b, err := readBlob(t.config.StateDir, name)
	if err != nil {
		info.Problem = err.Error()
		return info
	}
	info.Network, info.PublicKey, info.Imported = b.network, b.publicKey, b.imported
	info.Address = b.publicKey.Address(b.network)
	if b.genesis != genesis {
		info.Problem = fmt.Sprintf("it is bound to another genesis, %x", b.genesis)
	}
	return info
}

// tokenInfo turns what findKey said into what a list shows.
func tokenInfo(name string, network nem.Network, key foundKey, err error) (WalletInfo, error) {
	info := WalletInfo{Name: name, Network: network, Custody: CustodyToken}
	switch {
	case err == nil:
		info.PublicKey, info.Imported = key.publicKey, !key.local
		info.Address = key.publicKey.Address(network)
	case errors.Is(err, ErrNoKey):
		info.Problem = "it is bound to another genesis"
	case errors.Is(err, ErrUnsafeKey):
		info.Problem = err.Error()
	default:
		return WalletInfo{}, err
	}
	return info, nil
}

// labelledKey is a private key that carries a wallet's label.
type labelledKey struct {
	handle pkcs11.ObjectHandle
	text   string
}

func (s *session) walletLabels() ([]labelledKey, error) {
	objects, err := s.module.Find(s.handle, []*pkcs11.Attribute{
		attribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), attribute(pkcs11.CKA_TOKEN, true),
	})
	if err != nil {
		return nil, fmt.Errorf("search the token: %w", err)
	}
	if err := s.probe(); err != nil {
		return nil, err
	}
	var labels []labelledKey
	for _, handle := range objects {
		label, err := s.module.Attribute(s.handle, handle, pkcs11.CKA_LABEL)
		if err != nil && !errors.Is(err, errNoAttribute) {
			return nil, fmt.Errorf("read a label: %w", err)
		}
		if strings.HasPrefix(string(label), labelWallet+" ") {
			labels = append(labels, labelledKey{handle, string(label)})
		}
	}
	return labels, nil
}

// tokenWallets reads every object once: a search per wallet would make the list
// quadratic in the number of objects.
func (s *session) tokenWallets(genesis [32]byte) ([]WalletInfo, error) {
	labels, err := s.walletLabels()
	if err != nil {
		return nil, err
	}
	points, err := s.publicKeys()
	if err != nil {
		return nil, err
	}
	var wallets []WalletInfo
	for _, label := range labels {
		network, name, ok := parseWalletLabel(label.text)
		if !ok {
			continue
		}
		id, err := s.module.Attribute(s.handle, label.handle, pkcs11.CKA_ID)
		if err != nil {
			return nil, fmt.Errorf("read CKA_ID: %w", err)
		}
		var key foundKey
		if string(id) != string(walletKeyID(genesis, network, name)) {
			err = ErrNoKey
		} else {
			key, err = s.checkKey(label.handle, id, s.quirk.without(ed25519PrivateTemplate(label.text, id)),
				func(id []byte) (nem.PublicKey, error) {
					public, err := parsePoint(points[string(id)])
					if err != nil {
						err = fmt.Errorf("%w: its public key: %w", ErrUnsafeKey, err)
					}
					return public, err
				})
		}
		info, err := tokenInfo(name, network, key, err)
		if err != nil {
			return nil, err
		}
		wallets = append(wallets, info)
	}
	return wallets, nil
}

// publicKeys reads the CKA_EC_POINT of every public key, by CKA_ID.
func (s *session) publicKeys() (map[string][]byte, error) {
	objects, err := s.module.Find(s.handle, []*pkcs11.Attribute{
		attribute(pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY), attribute(pkcs11.CKA_KEY_TYPE, keyTypeEdwards), attribute(pkcs11.CKA_TOKEN, true),
	})
	if err != nil {
		return nil, fmt.Errorf("search the token: %w", err)
	}
	points := map[string][]byte{}
	for _, object := range objects {
		id, err := s.module.Attribute(s.handle, object, pkcs11.CKA_ID)
		if err != nil {
			return nil, fmt.Errorf("read CKA_ID: %w", err)
		}
		if points[string(id)], err = s.module.Attribute(s.handle, object, pkcs11.CKA_EC_POINT); err != nil {
			return nil, fmt.Errorf("read CKA_EC_POINT: %w", err)
		}
	}
	return points, nil
}

func parseWalletLabel(label string) (nem.Network, string, bool) {
	parts := strings.Split(label, " ")
	if len(parts) != 3 || parts[0] != labelWallet || checkName(parts[2]) != nil {
		return 0, "", false
	}
	network, err := nem.ParseNetwork(parts[1])
	if err != nil || CustodyOf(network) != CustodyToken {
		return 0, "", false
	}
	return network, parts[2], true
}
