package token

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"github.com/miekg/pkcs11"
)

// Setup is what Initialise left in the token. It holds no secret.
type Setup struct {
	LogKey       string         `json:"logKey"`     // public key in hex
	SealingKey   string         `json:"sealingKey"` // CKA_ID in hex
	Made         bool           `json:"made"`       // false: everything was there already
	Model        string         `json:"model"`
	Manufacturer string         `json:"manufacturer"`
	Firmware     string         `json:"firmware"`
	Serial       string         `json:"serial"`
	Leaky        bool           `json:"leaky"`
	Objects      []ObjectReport `json:"objects"`
}

// SOPIN gives the security officer's PIN, which is wiped after use. It is asked
// only where that PIN is needed. Fresh says that the token has none yet and that
// the one given becomes it.
type SOPIN func(fresh bool) (*PIN, error)

// Initialise prepares a token: where no token has the label, it initialises the
// first free slot with the SO PIN and sets the PIN; then it makes the sealing key
// and the log key, each if it is missing, with exactly the uses it needs. It can be
// interrupted at any step and run again. A PIN or SO PIN weaker than 128 random
// bits is refused on a software token, before anything is changed. soPIN may be
// nil for a token that has its PIN already. The PIN is wiped.
func Initialise(ctx context.Context, config Config, soPIN SOPIN) (Setup, error) {
	defer config.PIN.Wipe()
	config, err := config.withDefaults()
	if err != nil {
		return Setup{}, err
	}
	if err := os.MkdirAll(walletDirectory(config.StateDir), 0o700); err != nil {
		return Setup{}, fmt.Errorf("initialise token: make the state directory: %w", err)
	}
	if err := checkRefusedPIN(config.StateDir); err != nil {
		return Setup{}, err
	}
	if err := claimModule(config.Module); err != nil {
		return Setup{}, err
	}
	err = prepareToken(config, soPIN)
	releaseModule(config.Module)
	if err != nil {
		return Setup{}, fmt.Errorf("initialise token %q: %w", config.Label, err)
	}
	t, err := unstarted(config, nil)
	if err != nil {
		return Setup{}, err
	}
	setup, err := t.initialise(ctx)
	if closing := t.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return Setup{}, fmt.Errorf("initialise token %q: %w", config.Label, err)
	}
	return setup, nil
}

// prepareToken brings the token to where the user can log in.
func prepareToken(config Config, soPIN SOPIN) error {
	leave, err := config.enter()
	if err != nil {
		return err
	}
	defer leave()
	functions, err := loadNative(config.Module)
	if err != nil {
		return err
	}
	context := pkcs11.New(config.Module)
	if context == nil {
		return fmt.Errorf("load PKCS#11 module %s", config.Module)
	}
	if err := context.Initialize(); err != nil {
		return fmt.Errorf("initialise module %s: %w", config.Module, err)
	}
	defer func() { _ = context.Finalize() }() // the token is initialised by then, or not

	slots, err := slotsWithLabel(context, config.Label)
	if err != nil {
		return err
	}
	var officer *PIN
	defer func() { officer.Wipe() }()
	switch len(slots) {
	case 0:
		if officer, err = soPIN.ask(true); err != nil {
			return fmt.Errorf("no token carries the label, and to make one: %w", err)
		}
		if err := newToken(context, functions, config, officer); err != nil {
			return err
		}
		// SoftHSM gives an initialised token another slot, which only a fresh
		// library sees.
		if err := context.Finalize(); err != nil {
			return fmt.Errorf("finalize the module: %w", err)
		}
		if err := context.Initialize(); err != nil {
			return fmt.Errorf("initialise the module again: %w", err)
		}
		if slots, err = slotsWithLabel(context, config.Label); err != nil {
			return err
		}
		if len(slots) != 1 {
			return fmt.Errorf("%d tokens have the label after C_InitToken", len(slots))
		}
	case 1:
	default:
		return fmt.Errorf("%d tokens carry the label, it has to be one", len(slots))
	}
	info, err := context.GetTokenInfo(slots[0])
	if err != nil {
		return fmt.Errorf("ask the token: %w", err)
	}
	if err := checkStrength(context, slots[0], info, config.PIN); err != nil {
		return err
	}
	if info.Flags&pkcs11.CKF_USER_PIN_INITIALIZED != 0 {
		return nil
	}
	if officer == nil {
		if officer, err = soPIN.ask(false); err != nil {
			return fmt.Errorf("the token has no user PIN yet, and to set it: %w", err)
		}
	}
	if info.Flags&pkcs11.CKF_SO_PIN_LOCKED != 0 && quirkOf(info).software {
		return fmt.Errorf("set the user PIN: the token says that the SO PIN is locked: %w", ErrHalfMade)
	}
	if info.Flags&(pkcs11.CKF_SO_PIN_LOCKED|pkcs11.CKF_SO_PIN_FINAL_TRY) != 0 {
		return fmt.Errorf("set the user PIN: the token says that the SO PIN is locked or has one attempt left: %w", ErrPIN)
	}
	return setPIN(context, functions, slots[0], config.PIN, officer)
}

func (give SOPIN) ask(fresh bool) (*PIN, error) {
	if give == nil {
		return nil, errors.New("the SO PIN is needed")
	}
	return give(fresh)
}

func newToken(context *pkcs11.Ctx, functions native, config Config, soPIN *PIN) error {
	slots, err := context.GetSlotList(true)
	if err != nil {
		return fmt.Errorf("list slots: %w", err)
	}
	for _, slot := range slots {
		info, err := context.GetTokenInfo(slot)
		if errors.Is(err, pkcs11.Error(pkcs11.CKR_GENERAL_ERROR)) {
			return fmt.Errorf("no token was made: slot %d holds one that cannot be asked (%w): %w", slot, err, ErrHalfMade)
		}
		if err != nil || info.Flags&pkcs11.CKF_TOKEN_INITIALIZED != 0 {
			continue
		}
		for _, pin := range []*PIN{config.PIN, soPIN} {
			if err := checkStrength(context, slot, info, pin); err != nil {
				return err
			}
		}
		label := [32]byte([]byte(fmt.Sprintf("%-32s", config.Label)))
		if err := functions.initToken(slot, soPIN, label); err != nil {
			return fmt.Errorf("C_InitToken: %w", err)
		}
		return nil
	}
	return errors.New("no slot holds a token that is not initialised yet")
}

func setPIN(context *pkcs11.Ctx, functions native, slot uint, pin, soPIN *PIN) error {
	session, err := context.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		return fmt.Errorf("open a session: %w", err)
	}
	defer func() { _ = context.CloseSession(session) }() // the PIN is set by then, or not
	if err := functions.login(session, pkcs11.CKU_SO, soPIN); err != nil {
		return fmt.Errorf("as security officer: %w", loginError(err))
	}
	if err := functions.initPIN(session, pin); err != nil {
		return fmt.Errorf("C_InitPIN: %w", err)
	}
	if err := context.Logout(session); err != nil {
		return fmt.Errorf("log the security officer out: %w", err)
	}
	return nil
}

// checkStrength refuses a weak PIN where the token is files: whoever copies them
// can try PINs without end. A token of hardware counts the attempts itself; one
// that does not say it is hardware is taken for software.
func checkStrength(context *pkcs11.Ctx, slot uint, info pkcs11.TokenInfo, pin *PIN) error {
	slotInfo, err := context.GetSlotInfo(slot)
	if err != nil {
		return fmt.Errorf("ask slot %d: %w", slot, err)
	}
	software := quirkOf(info).software || slotInfo.Flags&pkcs11.CKF_HW_SLOT == 0
	if software && !pin.Strong() {
		return fmt.Errorf("%w: it has to be %d random hex digits, as Kura makes them", ErrWeakPIN, pinDigits)
	}
	return nil
}

func (t *Token) initialise(ctx context.Context) (Setup, error) {
	c, err := t.dial()
	if err != nil {
		if errors.Is(err, ErrPIN) {
			t.refusedPIN(err)
		}
		return Setup{}, err
	}
	t.current = c
	if err := t.checkLeak(ctx); err != nil {
		return Setup{}, err
	}
	if err := t.readGenesis(ctx); err != nil {
		return Setup{}, err
	}
	setup := Setup{Leaky: t.leak != ""}
	err = t.makeOwnKey(ctx, "sealing key", &setup.Made, (*session).newestSealingKey, (*session).removeSealingKeys, (*session).generateSealingKey)
	if err != nil {
		return Setup{}, err
	}
	clearLogKeys := func(s *session) error { return s.removeLogKeysAfter(0) }
	err = t.makeOwnKey(ctx, "log key", &setup.Made, (*session).newestLogKey, clearLogKeys, (*session).generateLogKey)
	if err != nil {
		return Setup{}, err
	}
	if err := t.checkOwnKeys(ctx); err != nil {
		return Setup{}, err
	}
	logKey, err := t.LogPublicKey()
	if err != nil {
		return Setup{}, err
	}
	setup.LogKey = hex.EncodeToString(logKey[:])
	setup.Model, setup.Manufacturer = c.info.Model, c.info.ManufacturerID
	setup.Firmware, setup.Serial = firmware(c.info), c.info.SerialNumber
	if setup.Objects, err = t.List(); err != nil {
		return Setup{}, err
	}
	err = t.do(ctx, "find the sealing key", func(s *session) error {
		key, err := s.newestSealingKey()
		setup.SealingKey = hex.EncodeToString(key.id)
		return err
	})
	return setup, err
}

// makeOwnKey makes the sealing key or the log key if there is none. One of which
// there is only a part is cleared and made anew, as long as the token is bound to no
// journal and no wallet is sealed: then nothing rests on it.
func (t *Token) makeOwnKey(ctx context.Context, what string, made *bool,
	newest func(*session) (foundKey, error), clear func(*session) error, generate func(*session, uint64) error) error {
	_, bound := t.Genesis()
	sealed, err := sealedNames(t.config.StateDir)
	if err != nil {
		return err
	}
	inUse := bound || len(sealed) > 0
	return t.create(ctx, "make the "+what, func(s *session) error {
		_, err := newest(s)
		part := errors.Is(err, errPart)
		if err == nil || inUse && part || !part && !errors.Is(err, ErrNoKey) {
			return err
		}
		if part {
			t.log.Warn("removing what is left of a key whose making was cut off", "key", what)
		}
		if !inUse {
			if err := clear(s); err != nil {
				return err
			}
		}
		*made = true
		return generate(s, 1)
	})
}

func firmware(info pkcs11.TokenInfo) string {
	return fmt.Sprintf("%d.%d", info.FirmwareVersion.Major, info.FirmwareVersion.Minor)
}

// newID is the CKA_ID of a log or sealing key of this generation.
func newID(generation uint64) ([]byte, error) {
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, fmt.Errorf("choose a key id: %w", err)
	}
	return generationID(generation, random), nil
}
