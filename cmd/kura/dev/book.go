package dev

// exampleBook is the first address book: addresses of public test keys, which
// nobody must ever fund.
const exampleBook = `# Whom the example's wallets may pay, and with which message.
remove: []
add:
  # Exchanges credit by message: an address alone is not a payee.
  - book: payees
    name: umi-exchange
    network: nis1-testnet
    address: TDJVPIBJTORJLITKIBA7DHE2SE56DX7IQKQW5ZV5
    message: {rule: pattern, kind: text, value: "customer-[0-9]{4,12}"}
    lastDay: ""
  - book: payees
    name: umi-exchange-symbol
    network: symbol-testnet
    address: TAO62Z2BRDK6CQ2UPWJI77FC4GHUHNJTFYLBJGA
    message: {rule: pattern, kind: text, value: "customer-[0-9]{4,12}"}
    lastDay: ""
  - book: payees
    name: cold-xem
    network: nis1-testnet
    address: TBZLOW3Q4GB7Y75BZPJH3KKGIF5MD2D4GHTSQWDW
    message: {rule: none, kind: "", value: ""}
    lastDay: ""
  - book: payees
    name: cold-xym
    network: symbol-testnet
    address: TA3ANFH2PWHXUTVLZ7J3EPP5HNDPGJQNFTMZZFY
    message: {rule: none, kind: "", value: ""}
    lastDay: ""
`
