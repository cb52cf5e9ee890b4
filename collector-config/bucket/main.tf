# A bucket for evidence, one for the vault, their keys, policies, lifecycle and a copy in a second region: what README.md in this
# folder explains, as Terraform. `terraform fmt` has read it; it was never applied: there was no AWS to apply it to.
#
# The roles exist already (they belong to whatever runs spanseal: a service account, an instance profile); this file gives them rights.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.40, < 7.0"
    }
  }
}

provider "aws" {
  region = var.region
}

provider "aws" {
  alias  = "replica"
  region = coalesce(var.replica_region, var.region)
}

# ---------------------------------------------------------------------------------------------------------------- what you decide

variable "region" {
  type = string
}

variable "bucket" {
  type        = string
  description = "For evidence: store.url is s3://<bucket>/<prefix without its last slash>."
}

variable "prefix" {
  type        = string
  default     = ""
  description = "Folder of the store in the bucket: empty, or ending with a slash."
  validation {
    condition     = var.prefix == "" || endswith(var.prefix, "/")
    error_message = "The prefix must be empty or end with a slash."
  }
}

variable "log" {
  type        = string
  description = "log.name. A writer has rights below this one log alone."
}

variable "vault_bucket" {
  type        = string
  description = "For content: content.vault.url. Another bucket, because what lies in the first one cannot be erased."
}

variable "vault_prefix" {
  type        = string
  default     = ""
  description = "Folder of the vault in its bucket: empty, or ending with a slash."
}

variable "roles" {
  type = object({
    writer   = string # serve
    operator = string # doctor; extends and holds
    reader   = string # query, verify, prove
    content  = string # a reader who may also read what was said
    auditor  = string # verify, and how the bucket is kept; never content
  })
  description = "Names of the roles, all different."
}

variable "admin_arn" {
  type        = string
  description = "Who may change the buckets' settings, such as the role that runs this file (arn:aws:iam::<account>:role/<name>). A wrong one locks everybody out but the account's root user."
}

variable "retention_days_min" {
  type        = number
  description = "The period of the shortest class in days, less one: the writer can set no shorter lock on segments and seals."
}

variable "retention_days_max" {
  type        = number
  default     = 3660
  description = "Nobody can lock for longer: a lock is a bill that nobody can stop. At least the longest class."
}

variable "expire_segments_after_days" {
  type        = map(number)
  default     = {}
  description = "Class to days after which its segments go, such as {standard = 210}. Empty: nothing goes by itself. See README.md first."
}

variable "replica_region" {
  type        = string
  default     = ""
  description = "A second region that holds a copy. Empty: none."
}

# -------------------------------------------------------------------------------------------------------------- what follows of it

data "aws_caller_identity" "this" {}

data "aws_iam_role" "this" {
  for_each = var.roles
  name     = each.value
}

locals {
  names = {
    BUCKET             = aws_s3_bucket.evidence.id
    PREFIX             = var.prefix
    LOG                = var.log
    VAULT_BUCKET       = aws_s3_bucket.vault.id
    VAULT_PREFIX       = var.vault_prefix
    KMS_KEY_ARN        = aws_kms_key.evidence.arn
    VAULT_KMS_KEY_ARN  = aws_kms_key.vault.arn
    WRITER_ARN         = data.aws_iam_role.this["writer"].arn
    OPERATOR_ARN       = data.aws_iam_role.this["operator"].arn
    ADMIN_ARN          = var.admin_arn
    RETENTION_DAYS_MIN = var.retention_days_min
    RETENTION_DAYS_MAX = var.retention_days_max
  }

  # Which role has which files. The operator has the vault's, because doctor tries whether the vault forgets.
  given = {
    writer          = { role = var.roles.writer, file = "writer.json" }
    writer-vault    = { role = var.roles.writer, file = "vault-writer.json" }
    operator        = { role = var.roles.operator, file = "operator.json" }
    operator-vault  = { role = var.roles.operator, file = "vault-writer.json" }
    reader          = { role = var.roles.reader, file = "reader.json" }
    content         = { role = var.roles.content, file = "reader.json" }
    content-content = { role = var.roles.content, file = "vault-reader.json" }
    auditor         = { role = var.roles.auditor, file = "auditor.json" }
  }

  # The rules of lifecycle.json. No rule deletes what is locked; a marker is all that a rule can put over it.
  rules = concat(
    [
      { id = "partial-tiles", prefix = "${var.prefix}${var.log}/tile/", tag = "partial", days = 1, noncurrent = 1 },
      { id = "markers-over-nothing", prefix = "${var.prefix}${var.log}/tile/", markers = true },
      { id = "older-checkpoints", prefix = "${var.prefix}${var.log}/checkpoint", noncurrent = 1 },
      { id = "canaries", prefix = "${var.prefix}_doctor/", days = 2, noncurrent = 1 },
      { id = "markers-over-canaries", prefix = "${var.prefix}_doctor/", markers = true },
      { id = "uploads-that-are-not-ours", prefix = "", abort = 1 },
      { id = "markers-over-segments-that-are-gone", prefix = "${var.prefix}${var.log}/segments/", markers = true },
    ],
    [
      for class, days in var.expire_segments_after_days :
      { id = "segments-after-their-time-${class}", prefix = "${var.prefix}${var.log}/segments/${class}/", days = days, noncurrent = 1 }
    ],
  )
}

# ---------------------------------------------------------------------------------------------------------------------------- keys

# Object Lock does not protect from the loss of the key: without it locked bytes are noise. So it is not deleted with the rest, and
# only the admin can schedule that at all.
data "aws_iam_policy_document" "key" {
  statement {
    sid       = "IamDecides"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${data.aws_caller_identity.this.account_id}:root"]
    }
  }
  statement {
    sid       = "OnlyTheAdminTakesItAway"
    effect    = "Deny"
    actions   = ["kms:ScheduleKeyDeletion", "kms:DisableKey", "kms:PutKeyPolicy"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
    condition {
      test     = "ArnNotLike"
      variable = "aws:PrincipalArn"
      values   = [var.admin_arn]
    }
  }
}

resource "aws_kms_key" "evidence" {
  description             = "spanseal: evidence"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
  lifecycle {
    prevent_destroy = true
  }
}

# A key of its own: who may read evidence cannot decrypt content with it.
resource "aws_kms_key" "vault" {
  description             = "spanseal: vault"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
}

# ------------------------------------------------------------------------------------------------------------------------ evidence

resource "aws_s3_bucket" "evidence" {
  bucket              = var.bucket
  object_lock_enabled = true # Only a new bucket gets it without asking AWS, and it never loses it.
  lifecycle {
    prevent_destroy = true
  }
}

# No default retention: spanseal locks each object for its class, and a default would lock checkpoints and partial tiles, which pile up.

resource "aws_s3_bucket_versioning" "evidence" {
  bucket = aws_s3_bucket.evidence.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "evidence" {
  bucket = aws_s3_bucket.evidence.id
  rule {
    bucket_key_enabled = true # One call to the key service for many objects, not one for each.
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.evidence.arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "evidence" {
  bucket                  = aws_s3_bucket.evidence.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# No ACLs: who puts an object cannot keep it from the bucket's owner, nor give it to others.
resource "aws_s3_bucket_ownership_controls" "evidence" {
  bucket = aws_s3_bucket.evidence.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

# Last, because it denies what came before to everybody but the admin.
resource "aws_s3_bucket_policy" "evidence" {
  bucket = aws_s3_bucket.evidence.id
  policy = templatefile("${path.module}/bucket-policy.json", local.names)
  depends_on = [
    aws_s3_bucket_versioning.evidence,
    aws_s3_bucket_server_side_encryption_configuration.evidence,
    aws_s3_bucket_public_access_block.evidence,
    aws_s3_bucket_ownership_controls.evidence,
    aws_s3_bucket_lifecycle_configuration.evidence,
  ]
}

resource "aws_s3_bucket_lifecycle_configuration" "evidence" {
  bucket     = aws_s3_bucket.evidence.id
  depends_on = [aws_s3_bucket_versioning.evidence]

  dynamic "rule" {
    for_each = local.rules
    content {
      id     = rule.value.id
      status = "Enabled"
      filter {
        prefix = can(rule.value.tag) ? null : rule.value.prefix
        dynamic "and" {
          for_each = can(rule.value.tag) ? [1] : []
          content {
            prefix = rule.value.prefix
            tags   = { spanseal = rule.value.tag }
          }
        }
      }
      dynamic "expiration" {
        for_each = can(rule.value.days) || can(rule.value.markers) ? [1] : []
        content {
          days                         = try(rule.value.days, null)
          expired_object_delete_marker = try(rule.value.markers, null)
        }
      }
      dynamic "noncurrent_version_expiration" {
        for_each = can(rule.value.noncurrent) ? [1] : []
        content {
          noncurrent_days = rule.value.noncurrent
        }
      }
      dynamic "abort_incomplete_multipart_upload" {
        for_each = can(rule.value.abort) ? [1] : []
        content {
          days_after_initiation = rule.value.abort
        }
      }
    }
  }
}

# --------------------------------------------------------------------------------------------------------------------------- vault

# Neither versions nor Object Lock nor a copy: what is erased here has to be gone. spanseal refuses a bucket that has them.
resource "aws_s3_bucket" "vault" {
  bucket = var.vault_bucket
}

resource "aws_s3_bucket_server_side_encryption_configuration" "vault" {
  bucket = aws_s3_bucket.vault.id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.vault.arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "vault" {
  bucket                  = aws_s3_bucket.vault.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "vault" {
  bucket = aws_s3_bucket.vault.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_policy" "vault" {
  bucket = aws_s3_bucket.vault.id
  policy = templatefile("${path.module}/vault-bucket-policy.json", local.names)
  depends_on = [
    aws_s3_bucket_server_side_encryption_configuration.vault,
    aws_s3_bucket_public_access_block.vault,
    aws_s3_bucket_ownership_controls.vault,
  ]
}

# --------------------------------------------------------------------------------------------------------------------------- roles

resource "aws_iam_role_policy" "given" {
  for_each = local.given
  name     = "spanseal-${each.key}"
  role     = each.value.role
  policy   = templatefile("${path.module}/${each.value.file}", local.names)
}

# ---------------------------------------------------------------------------------------------- a copy in a second region, if wanted

# It is there to be verified and read. A log is never continued in it: fail-over starts a new log.
resource "aws_s3_bucket" "replica" {
  count               = var.replica_region == "" ? 0 : 1
  provider            = aws.replica
  bucket              = "${var.bucket}-replica"
  object_lock_enabled = true # Locks and holds are copied only into a bucket that can keep them.
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "replica" {
  count    = length(aws_s3_bucket.replica)
  provider = aws.replica
  bucket   = aws_s3_bucket.replica[0].id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_kms_key" "replica" {
  count                   = length(aws_s3_bucket.replica)
  provider                = aws.replica
  description             = "spanseal: copy of the evidence"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_public_access_block" "replica" {
  count                   = length(aws_s3_bucket.replica)
  provider                = aws.replica
  bucket                  = aws_s3_bucket.replica[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# Nobody puts here but the replication, which asks for s3:ReplicateObject, not for s3:PutObject.
resource "aws_s3_bucket_policy" "replica" {
  count    = length(aws_s3_bucket.replica)
  provider = aws.replica
  bucket   = aws_s3_bucket.replica[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        for statement in jsondecode(templatefile("${path.module}/bucket-policy.json", merge(local.names, { BUCKET = aws_s3_bucket.replica[0].id }))).Statement :
        statement if statement.Sid != "NobodyReplicatesIntoIt"
      ],
      [{
        Sid       = "OnlyTheReplicationReplicates"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"]
        Resource  = "${aws_s3_bucket.replica[0].arn}/*"
        Condition = { ArnNotLike = { "aws:PrincipalArn" = aws_iam_role.replication[0].arn } }
      }]
    )
  })
  depends_on = [aws_s3_bucket_versioning.replica, aws_s3_bucket_public_access_block.replica]
}

data "aws_iam_policy_document" "replication_may_assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "replication" {
  count              = length(aws_s3_bucket.replica)
  name               = "${var.bucket}-replication"
  assume_role_policy = data.aws_iam_policy_document.replication_may_assume.json
}

data "aws_iam_policy_document" "replication" {
  count = length(aws_s3_bucket.replica)
  statement {
    sid       = "AskTheSource"
    actions   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
    resources = [aws_s3_bucket.evidence.arn]
  }
  statement {
    sid = "ReadVersionsWithLocks"
    actions = [
      "s3:GetObjectVersionForReplication",
      "s3:GetObjectVersionAcl",
      "s3:GetObjectVersionTagging",
      "s3:GetObjectRetention",
      "s3:GetObjectLegalHold",
    ]
    resources = ["${aws_s3_bucket.evidence.arn}/*"]
  }
  statement {
    sid       = "CopyThem" # Without s3:ReplicateDelete: a marker that hides the original hides no copy.
    actions   = ["s3:ReplicateObject", "s3:ReplicateTags"]
    resources = ["${aws_s3_bucket.replica[0].arn}/*"]
  }
  statement {
    sid       = "Decrypt"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.evidence.arn]
  }
  statement {
    sid       = "EncryptTheCopy"
    actions   = ["kms:Encrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.replica[0].arn]
  }
}

resource "aws_iam_role_policy" "replication" {
  count  = length(aws_s3_bucket.replica)
  name   = "replication"
  role   = aws_iam_role.replication[0].id
  policy = data.aws_iam_policy_document.replication[0].json
}

resource "aws_s3_bucket_replication_configuration" "evidence" {
  count      = length(aws_s3_bucket.replica)
  bucket     = aws_s3_bucket.evidence.id
  role       = aws_iam_role.replication[0].arn
  depends_on = [aws_s3_bucket_versioning.evidence, aws_s3_bucket_versioning.replica]

  rule {
    id     = "copy"
    status = "Enabled"
    filter {
      prefix = var.prefix
    }
    delete_marker_replication {
      status = "Disabled"
    }
    source_selection_criteria {
      sse_kms_encrypted_objects {
        status = "Enabled"
      }
    }
    destination {
      bucket = aws_s3_bucket.replica[0].arn
      encryption_configuration {
        replica_kms_key_id = aws_kms_key.replica[0].arn
      }
    }
  }
}
