// The oracle answers one JSON object a line with one JSON object a line: it
// builds what the fields say with the published SDKs, and reads, hashes and
// verifies what Kura built from the same fields. It holds no opinion: package
// interop compares.
import { createRequire } from 'module';
import { createInterface } from 'readline';
import { Hash256, PrivateKey, PublicKey, Signature, utils } from 'symbol-sdk';
import * as nis1 from 'symbol-sdk/nem';
import * as symbol from 'symbol-sdk/symbol';

// nem-sdk puts a slice of its own, which fails, in place of every byte array's
const { slice } = Uint8Array.prototype;
const nem = createRequire(import.meta.url)('nem-sdk').default;
Object.defineProperty(Uint8Array.prototype, 'slice', { value: slice, writable: true, configurable: true });

const { hexToUint8, uint8ToHex } = utils;
const bytes = text => new TextEncoder().encode(text);
const attempt = action => {
	try {
		return action();
	} catch (e) {
		return { error: e.message };
	}
};

// region NIS1, by symbol-sdk

const nis1Mosaics = list => list.map(m => ({
	mosaic: {
		mosaicId: { namespaceId: { name: bytes(m.namespace) }, name: bytes(m.name) },
		amount: BigInt(m.amount)
	}
}));

const nis1Descriptor = (facade, f) => {
	const common = {
		signerPublicKey: new PublicKey(f.signer),
		timestamp: f.timestamp,
		deadline: Number(f.deadline),
		fee: BigInt(f.fee)
	};
	switch (f.kind) {
	case 'transfer': {
		const d = {
			...common,
			type: `transfer_transaction_v${f.version}`,
			recipientAddress: new nis1.Address(f.recipient),
			amount: BigInt(f.amount)
		};
		if (f.message)
			d.message = { messageType: f.encrypted ? 'encrypted' : 'plain', message: hexToUint8(f.message.hex) };
		if (2 === f.version)
			d.mosaics = nis1Mosaics(f.mosaics);
		return d;
	}
	case 'modification': {
		const d = {
			...common,
			type: `multisig_account_modification_transaction_v${f.version}`,
			modifications: f.changes.map(c => ({
				modification: {
					modificationType: 'add' === c.change ? 'add_cosignatory' : 'delete_cosignatory',
					cosignatoryPublicKey: new PublicKey(c.key)
				}
			}))
		};
		if (2 === f.version)
			d.minApprovalDelta = f.relative;
		return d;
	}
	case 'cosignature':
		return {
			...common,
			type: 'cosignature_v1',
			otherTransactionHash: new Hash256(f.hash),
			multisigAccountAddress: new nis1.Address(f.recipient)
		};
	case 'multisig':
		return {
			...common,
			type: 'multisig_transaction_v1',
			innerTransaction: nis1.TransactionFactory.toNonVerifiableTransaction(facade.transactionFactory.create(nis1Descriptor(facade, f.inner)))
		};
	default:
		throw Error(`kind ${f.kind} is not known`);
	}
};

const nis1BySymbolSdk = request => {
	const facade = new nis1.NemFacade(request.network);
	const transaction = facade.transactionFactory.create(nis1Descriptor(facade, request.fields));
	const signature = facade.signTransaction(new nis1.NemFacade.KeyPair(new PrivateKey(request.privateKey)), transaction);
	const answer = {
		data: uint8ToHex(facade.extractSigningPayload(transaction)),
		signature: signature.toString(),
		hash: facade.hashTransaction(transaction).toString()
	};
	if (request.registry) {
		const lookup = id => {
			const asset = request.registry[`${id.namespaceId.name}:${id.name}`];
			return asset && { supply: BigInt(asset.supply), divisibility: asset.divisibility };
		};
		// the SDK's fee reads mosaics of version 1 too, which has none
		const priced = transaction.mosaics ? transaction : Object.assign(Object.create(transaction), { mosaics: [] });
		answer.fee = String(nis1.calculateTransactionFee(priced, lookup));
	}
	return answer;
};

const nis1ReadBySymbolSdk = request => {
	const facade = new nis1.NemFacade(request.network);
	const transaction = nis1.models.NonVerifiableTransactionFactory.deserialize(hexToUint8(request.data));
	return {
		data: uint8ToHex(transaction.serialize()),
		hash: facade.hashTransaction(transaction).toString(),
		valid: facade.verifyTransaction(transaction, new Signature(request.signature))
	};
};

// endregion

// region NIS1, by nem-sdk

const nemEntity = f => {
	const entity = {
		type: { transfer: 0x0101, modification: 0x1001, cosignature: 0x1002, multisig: 0x1004 }[f.kind],
		version: (f.networkByte << 24) | f.version,
		timeStamp: f.timestamp,
		signer: f.signer,
		fee: Number(f.fee),
		deadline: Number(f.deadline)
	};
	switch (f.kind) {
	case 'transfer':
		entity.recipient = f.recipient;
		entity.amount = Number(f.amount);
		entity.message = { type: f.encrypted ? 2 : 1, payload: f.message ? f.message.hex.toLowerCase() : '' };
		entity.mosaics = f.mosaics?.map(m => ({
			mosaicId: { namespaceId: m.namespace, name: m.name }, quantity: Number(m.amount)
		}));
		break;
	case 'modification':
		entity.modifications = f.changes.map(c => ({ modificationType: 'add' === c.change ? 1 : 2, cosignatoryAccount: c.key }));
		entity.minCosignatories = { relativeChange: f.relative };
		break;
	case 'cosignature':
		entity.otherHash = { data: f.hash };
		entity.otherAccount = f.recipient;
		break;
	case 'multisig':
		entity.otherTrans = nemEntity(f.inner);
		break;
	}
	return entity;
};

const nis1ByNemSdk = request => {
	const data = nem.utils.serialization.serializeTransaction(nemEntity(request.fields));
	const answer = { data: uint8ToHex(data) };
	if (request.sign) {
		answer.signature = nem.crypto.keyPair.create(request.privateKey).sign(data).toString().toUpperCase();
		answer.valid = nem.crypto.verifySignature(request.fields.signer, data, request.signature);
	}
	return answer;
};

// nem-sdk's own preparation of a transfer, of which the fee is wanted
const nemFee = request => {
	const transfer = nem.model.objects.create('transferTransaction')(request.recipient, request.xem, 'x'.repeat(request.messageSize));
	const common = nem.model.objects.create('common')('', request.privateKey);
	const entity = nem.model.transactions.prepare('transferTransaction')(common, transfer, nem.model.network.data.testnet.id);
	return { fee: String(entity.fee) };
};

// endregion

// region Symbol

const symbolDescriptor = (facade, f) => {
	const d = { signerPublicKey: new PublicKey(f.signer) };
	if (!f.embedded)
		Object.assign(d, { fee: BigInt(f.fee), deadline: BigInt(f.deadline) });

	switch (f.kind) {
	case 'transfer':
		return {
			...d,
			type: 'transfer_transaction_v1',
			recipientAddress: new symbol.Address(f.recipient),
			mosaics: f.mosaics.map(m => ({ mosaicId: BigInt(`0x${m.id}`), amount: BigInt(m.amount) })),
			message: f.message ? hexToUint8(f.message.hex) : ''
		};
	case 'aggregate_complete':
	case 'aggregate_bonded': {
		const embedded = f.embeds.map(e => facade.transactionFactory.createEmbedded(symbolDescriptor(facade, e)));
		return {
			...d,
			type: `${f.kind}_transaction_v${f.version}`,
			transactionsHash: symbol.SymbolFacade.hashEmbeddedTransactions(embedded),
			transactions: embedded
		};
	}
	case 'hash_lock':
		return {
			...d,
			type: 'hash_lock_transaction_v1',
			mosaic: { mosaicId: BigInt(`0x${f.mosaics[0].id}`), amount: BigInt(f.mosaics[0].amount) },
			duration: BigInt(f.duration),
			hash: new Hash256(f.hash)
		};
	default:
		throw Error(`kind ${f.kind} is not known`);
	}
};

const symbolBuild = request => {
	const facade = new symbol.SymbolFacade(request.network);
	const transaction = facade.transactionFactory.create(symbolDescriptor(facade, request.fields));
	const signature = facade.signTransaction(new symbol.SymbolFacade.KeyPair(new PrivateKey(request.privateKey)), transaction);
	symbol.SymbolTransactionFactory.attachSignature(transaction, signature);
	(request.cosigners || []).forEach(key => transaction.cosignatures.push(
		facade.cosignTransaction(new symbol.SymbolFacade.KeyPair(new PrivateKey(key)), transaction)));
	return {
		data: uint8ToHex(transaction.serialize()),
		signature: signature.toString(),
		hash: facade.hashTransaction(transaction).toString(),
		fee: String(symbol.calculateTransactionFee(transaction, 100, request.expected || 0))
	};
};

const symbolRead = request => {
	const facade = new symbol.SymbolFacade(request.network);
	const transaction = symbol.SymbolTransactionFactory.deserialize(hexToUint8(request.data));
	const hash = facade.hashTransaction(transaction);
	const cosigned = (transaction.cosignatures || []).every(c =>
		new symbol.Verifier(new PublicKey(c.signerPublicKey.bytes)).verify(hash.bytes, new Signature(c.signature.bytes)));
	const root = transaction.transactions
		? symbol.SymbolFacade.hashEmbeddedTransactions(transaction.transactions).toString()
		: '';
	return {
		data: uint8ToHex(transaction.serialize()),
		hash: hash.toString(),
		valid: cosigned && facade.verifyTransaction(transaction, new Signature(transaction.signature.bytes)),
		root
	};
};

// endregion

const actions = {
	'nis1-build': nis1BySymbolSdk,
	'nis1-read': nis1ReadBySymbolSdk,
	'nem-build': nis1ByNemSdk,
	'nem-fee': nemFee,
	'nem-verify': r => ({ valid: nem.crypto.verifySignature(r.publicKey, hexToUint8(r.data), r.signature) }),
	'symbol-build': symbolBuild,
	'symbol-read': symbolRead,
	'address': r => ({
		nis1: new nis1.NemFacade(r.network).network.publicKeyToAddress(new PublicKey(r.publicKey)).toString(),
		symbol: new symbol.SymbolFacade(r.network).network.publicKeyToAddress(new PublicKey(r.publicKey)).toString()
	})
};

const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
for await (const line of lines) {
	const requests = JSON.parse(line);
	const answers = requests.map(request => attempt(() => actions[request.action](request)));
	process.stdout.write(`${JSON.stringify(answers)}\n`);
}
