#!/usr/bin/env bash
# Stores the files of www in the asset canister with this id, each with one call.
set -euo pipefail
for file in www/*; do
  case $file in
    *.html) type=text/html ;;
    *.css) type=text/css ;;
    *.js) type=text/javascript ;;
    *) type=text/plain ;;
  esac
  # Bytes as Candid's text has them: \68\65…
  content=$(od -An -v -tx1 "$file" | tr -d '\n' | sed 's/ /\\/g')
  icp canister call "$1" store "(record { key = \"/${file#www/}\"; content_type = \"$type\";
    content_encoding = \"identity\"; content = blob \"$content\"; sha256 = null })"
done
