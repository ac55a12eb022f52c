"""The cryptography of TLS as thin rows on pyca `cryptography`: suites, groups, signatures, key schedule."""
