#!/bin/sh
# How the files of this folder were made: certificates and tokens of an authority by OpenSSL 3.0, over `stamped.txt`. Run in an empty folder.
set -eu
printf 'spanseal.example/log\n18\nq83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=\n' > stamped.txt
cat > ca.cnf <<'C'
[req]
distinguished_name = name
prompt = no
[name]
CN = unused
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[between]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[tsa]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
subjectKeyIdentifier = hash
C
new_key() { # name, kind
  case $2 in
    rsa) openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$1.key" ;;
    small) openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out "$1.key" ;;
    *) openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:$2" -out "$1.key" ;;
  esac 2> /dev/null
}
certificate() { # name, kind, section, issuer, further options
  name=$1 kind=$2 section=$3 issuer=$4; shift 4
  new_key "$name" "$kind"
  openssl req -new -key "$name.key" -subj "/O=spanseal tests/CN=$name" -config ca.cnf -out "$name.csr"
  if [ "$issuer" = self ]; then signed_by="-signkey $name.key"; else signed_by="-CA $issuer.pem -CAkey $issuer.key -CAcreateserial"; fi
  openssl x509 -req -in "$name.csr" $signed_by -extfile ca.cnf -extensions "$section" -sha256 -days 10950 -out "$name.pem" "$@" 2> /dev/null
}
certificate root rsa root self
certificate between P-384 between root
certificate tsa-rsa rsa tsa between
certificate tsa-p256 P-256 tsa root
certificate tsa-p384 P-384 tsa root
certificate tsa-small small tsa root
certificate stranger P-256 root self
certificate tsa-of-a-stranger P-256 tsa stranger
token() { # output, signer, hash of signature, hash of the certificate's name, hash of the request
  cat > ts.cnf <<C
[tsa]
serial = serial
crypto_device = builtin
signer_digest = $3
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1, millisecs:500, microsecs:100
clock_precision_digits = 3
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = $4
C
  [ -f serial ] || echo 1000 > serial
  openssl ts -query -data stamped.txt "-$5" -cert -out query.tsq 2> /dev/null
  if [ "$2" = tsa-rsa ]; then chain="-chain between.pem"; else chain=; fi
  openssl ts -reply -config ts.cnf -section tsa -queryfile query.tsq -inkey "$2.key" -signer "$2.pem" $chain -out "$1.response" 2> /dev/null
  [ "$1" = rejected ] || openssl ts -reply -in "$1.response" -token_out -out "$1.tsr" 2> /dev/null
}
token rsa tsa-rsa sha256 sha256 sha256
token rsa-sha512-v1 tsa-rsa sha512 sha1 sha256
token p256 tsa-p256 sha256 sha256 sha256
token p384 tsa-p384 sha384 sha512 sha256
token of-sha512 tsa-p256 sha256 sha256 sha512
token small tsa-small sha256 sha256 sha256
token of-a-stranger tsa-of-a-stranger sha256 sha256 sha256
token rejected tsa-p256 sha256 sha256 sha384
