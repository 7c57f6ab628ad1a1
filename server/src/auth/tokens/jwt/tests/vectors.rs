//! Tokens of another library, one of each method, and the keys to know them by: user `alice`, revision 7, until the year 3000.

use crate::config::SignMethod;

const RSA: &str = "\
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAsgSTmVSSMPw+lQl0qXdA
4KXCgqREkCgj+pfi1oUSj2dotWfMa09wvBT154UMi+HW0YobH9SJg4d2esgIs32a
tUkiQ6U5OQXGiToD6l9SZD6REyGLsnFBotpnKAHuzcpM6M0bx5ZEBJRv0rWLz89G
e3mPSwmPWCxNbQsZWGonrk3HJm4sftGr5nNE9/HH4sOn3Y2kFaTQS5z3s7EyLyY0
VHurxDnGqj1plVSSI0XUghVEIJQ5v61k1jIXF9Ki6edl1jHgNbA6TNPOg2pOTNEF
AMuGPe3m3AgKa2xpzQrsRThivOC05eLAhvS71uzESU3+oC0JE15raORNj5Bd5AVe
oQIDAQAB
-----END PUBLIC KEY-----";

const P256: &str = "\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEpn7Czfwyk4ebhA8OZ6kGiFLzsfkn
zKTkx6mEi54aYy2mAmf5JzQKsKKfMuMWAYqRmt1n4ENlBx9Qq9O3VTGc8g==
-----END PUBLIC KEY-----";

const P384: &str = "\
-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE12le+H/3KacsrZcfUyEEQmj9GxC+e0ye
78mbwWq1ZoxDrup3ZDNwgSyopp0IAJFxW2a9U5LrBq+zGCkKfQOmqj7ZtypLLLPw
KjzUASSgDg12WebZDVow64iaxmWgWNsD
-----END PUBLIC KEY-----";

const P521: &str = "\
-----BEGIN PUBLIC KEY-----
MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAvJvyecUNbFaA1dpd9BOjlMm0ymE1
y5ObyUFRvDOPRSBuNPHqx4LjU5sWDJa+Y+cEjNOMiGec5I1KoARBdlVDV3oA8xnP
2yzHMFUbq0Q1NWdq6LTZKDlJmA8Gx/xRi4wH/uI7AI/FWxFuZz3zGNp4zu9DHBTh
3SRfV5r63yg9shYE8j8=
-----END PUBLIC KEY-----";

const ED: &str = "\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAdHoG4zX4HTJZFKZfz8uwLtQTQAeXCQrN1bumeMA7VnM=
-----END PUBLIC KEY-----";

pub(super) const SECRET: &[u8] = b"a secret of at least sixty-four bytes, so that no library warns...\n";

pub(super) const TOKENS: &[(SignMethod, &[u8], &str)] = &[
    (
        SignMethod::Rs256,
        RSA.as_bytes(),
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VybmFtZSI6ImFsaWNlIiwicmV2aXNpb24iOjcsImV4cCI6MzI1MDM2ODAwMDAsImlhdCI6MX0.bVRc1vW_1KkUPodYX4qmWtnCN7mMBazPPtyx8G0BJ-ydzt0ISFAn_T3qUKDZm7Yi3jUum3oOyzG7zA6TQ8acXQo7KN2t4j1tdNDngacvkwOiiic8JTmewBhxEIGkmlfBWJbFi6LCBGtDMob8UNbf3mVOoiROmZTKi3RPFRDx1j_f5NaeT-ASeZ8KlSWMnGRYbn1aD4aLGVL5NL5s18oijTADq0Jd_vqVPb70lqIUWpfN4Q6REHPYKrt_SAlkTUXFeuUeLuANdTAPFqekuLnpAwku3dRKh6rqJ1enMPfvXF91nvAZN8E-oJssCKtI2shn6nFf7zKTO4aZPeDXl9VT9Q",
    ),
    (
        SignMethod::Rs384,
        RSA.as_bytes(),
        "eyJhbGciOiJSUzM4NCIsInR5cCI6IkpXVCJ9.eyJ1c2VybmFtZSI6ImFsaWNlIiwicmV2aXNpb24iOjcsImV4cCI6MzI1MDM2ODAwMDAsImlhdCI6MX0.Obe4vkslju4YMPf6DctmbIzd_A1MvOxGHQgelgoKBMEUAHg0KWbM5vZLcmHZ3F7Ry29sA5UEDm-xDwb_GWr_2DfzYDyng5c2wupUxmwMOVt_SLN-fEo5TTnRuzWsyd8xFqzwu5g4MKfYz2G2OQzV2ze_3x5HlFGpXjCoRo8wEDSXxx3Zwtj0FtA3xUbPFFQa66HHrvLERHAsbqnmrmTpKS9Ios-SlA_mcB1rNJdHQCPmbeP1tRRPIDiLzRiwOKpieJOrdO6E-C0QzbBB-so2duYaXjEPQEhXkANNH04-rHEEmNTGqHm6gRt98oclJQbrHQJEAdZ_MiyENnNIz0Kogg",
    ),
    (
        SignMethod::Rs512,
        RSA.as_bytes(),
        "eyJhbGciOiJSUzUxMiIsInR5cCI6IkpXVCJ9.eyJ1c2VybmFtZSI6ImFsaWNlIiwicmV2aXNpb24iOjcsImV4cCI6MzI1MDM2ODAwMDAsImlhdCI6MX0.izQ4QVyp5RDYGngaATHOs5OwWx-rtpLtPMJWJq6ONuyYPTbsgYDWLjhKetekajvakd6mRAHdK7_QlQzYd5mAJtAe_fG8q5CtLRxJgaZQeWI2VMOfJSrvhmeYAqyHDXSvMKe5DobuqiIXsYbhPKinvp0cJ4BmDb3Bg09IMinGTRHZ5tAhgg9ezJoncUwm9BeoD6NgklYshzloXl_g9Hs1SpdpGeO0jf9bjXzY8oH_w4ALSjHC8nVbob6SDmTtDKRQ0_mA0zoqBHkWfAMm7V2kH8YKL3A34XOyOJnslpcnK8PtLRefyi9Avc7IoH-l51i-H74BwAKAo-laTPyay9vHmA",
    ),
    (
        SignMethod::Ps256,
        RSA.as_bytes(),
        "eyJhbGciOiJQUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VybmFtZSI6ImFsaWNlIiwicmV2aXNpb24iOjcsImV4cCI6MzI1MDM2ODAwMDAsImlhdCI6MX0.EN8VE0ET3AZ0fd5hGI1g-DW6RVFe0Jre56BOCspdKykR76OUukNx-rWOPT8YY2wLrh9j0IFzhrn0YykSg6SwyRr591wb5IN-kYolvbIrijM6D_ZKsK4-4wSNKRS8VsPjrB4In4Of2vSVwNAQTsrLkO8J4wty_Yc3-T-v47S5jafF7LtZ92AQLbL0Cv3ZnnQ6MR0CZe6GMAWT_SnzEzMCRPGNAXkvqndTwqpllVqgOz0JH15ZW6qQUNHQykFkzI21vKdErQv0Gu_L5JJb-Y5yutCFMYkpj90GyqhthLMYQJnCsbAfFSsGhN-pXCM-8ONLs--RviVpQJfEwSJKOEJrvw",
    ),
    (
        SignMethod::Ps384,
        RSA.as_bytes(),
        "eyJhbGciOiJQUzM4NCIsInR5cCI6IkpXVCJ9.eyJ1c2VybmFtZSI6ImFsaWNlIiwicmV2aXNpb24iOjcsImV4cCI6MzI1MDM2ODAwMDAsImlhdCI6MX0.O_YR4nEdLqJhCV_QFePHoQ-4b1TMSo2scAaNGXZ83H-RppP3r6DJE5fEG2Tu7h03277zZC-ObF3zJ1nceOU-Wtj0JNL5HnzQll98zq9KwxNRzm-7_QUxq2QUAfUN3OStcgmVP1_x0OcRw1ShUJ0B39vIU5GuMYRH2DWJPGYnk4OT9ejTWjxltjLlSsp-DkgkYiU-q15L4T5N9flJ4edueMoUkFYBftFOaGIJqh1vVLNz9xyNdSEReeKNCZtfrhmMT18IHOGf8KW-DIxZtSSD79xPwgYwBZhQ1_nm76GTrPLcYGHA_Qnes4PhMtfAy_xcFNOX8tNZvAh5aO6kvm2_zg",
    ),
    (
        SignMethod::Ps512,
        RSA.as_bytes(),
        "eyJhbGciOiJQUzUxMiIsInR5cCI6IkpXVCJ9.eyJ1c2VybmFtZSI6ImFsaWNlIiwicmV2aXNpb24iOjcsImV4cCI6MzI1MDM2ODAwMDAsImlhdCI6MX0.CXZwxKz6mkOfwSgEMtfiwdHTvmGtCDppjbx-NtuqK88LQSlpknAgXgdkMFrIXkHFJ0hKBNMcjDEbELRQjYjHH8JNm3pRwNycZ_t54JEo5sp7NJLs0D1fFUud2KrCkYRgyyFZxbvRohNnlqQFD7mPpdTlisBgls1TDZJXhcEyGEPWeXu1osTHmirNXnGUgz-RfR37N-g3kTKb-D3BEzAyjh8qmoYVmwzV4BQNY5vivxS7l_30hCYM_yv5OAkWzN--sCUACBNv9cY8sLsKXMQUqNbJbAuA_XzGT7UUOEJAXJFwz_IA5HvCZx84BeoIbM-HHtJ4_jA-CS1t_xtbBGOIVw",
    ),
    (
        SignMethod::Es256,
        P256.as_bytes(),
        "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VybmFtZSI6ImFsaWNlIiwicmV2aXNpb24iOjcsImV4cCI6MzI1MDM2ODAwMDAsImlhdCI6MX0.umxMiWSNcInzijRHStq9u5-CjALX6-TW1eG6HFR6QN98-HhT2edzG4m0FE6sf84tg8l_JMt9BwF5rdoxxrNljA",
    ),
    (
        SignMethod::Es384,
        P384.as_bytes(),
        "eyJhbGciOiJFUzM4NCIsInR5cCI6IkpXVCJ9.eyJ1c2VybmFtZSI6ImFsaWNlIiwicmV2aXNpb24iOjcsImV4cCI6MzI1MDM2ODAwMDAsImlhdCI6MX0.vtBXMSm2GgXMOWxVq2lDXNN1zrGh1l7hDcse22g0PHy4ICjJifNi29M-rFQmFhwWKPpLipwBQQ9D0X-XEFIMIqTbdzO-QnvQ2LjLE1Gx3Adi4H93Kma66SIgy2focTrQ",
    ),
    (
        SignMethod::Es512,
        P521.as_bytes(),
        "eyJhbGciOiJFUzUxMiIsInR5cCI6IkpXVCJ9.eyJ1c2VybmFtZSI6ImFsaWNlIiwicmV2aXNpb24iOjcsImV4cCI6MzI1MDM2ODAwMDAsImlhdCI6MX0.ASwfpzlchaxeT8X0uU4PUr_J2Da12ImXGrxKGfgxzTobkLNyFvijQMy0amYV2OnVZZLPankMos3aZ0FuYZdcBVpaATfzdjAqQM_Vsi2PK8jf5-HZAFUQ8N88F4lEHnf4scH6pFajKOYp5PEx13k32rZQp6tK2NI40RbBte4wR10o_Ho5",
    ),
    (
        SignMethod::EdDsa,
        ED.as_bytes(),
        "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJ1c2VybmFtZSI6ImFsaWNlIiwicmV2aXNpb24iOjcsImV4cCI6MzI1MDM2ODAwMDAsImlhdCI6MX0.9JLYbFWP5uHuzEu631inwvwlmRLrXjdCe7WXwTvc2WxZMwqTd8QVmwMjh56YPusoWiXbVoYgHbAL_vY7aAsvDw",
    ),
    (
        SignMethod::Hs256,
        SECRET,
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VybmFtZSI6ImFsaWNlIiwicmV2aXNpb24iOjcsImV4cCI6MzI1MDM2ODAwMDAsImlhdCI6MX0.zVd5M_RcWeduifuROGl-b2FqGUwp5TrdDBKd-gWN3Bs",
    ),
    (
        SignMethod::Hs384,
        SECRET,
        "eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9.eyJ1c2VybmFtZSI6ImFsaWNlIiwicmV2aXNpb24iOjcsImV4cCI6MzI1MDM2ODAwMDAsImlhdCI6MX0.UkN6iHj_hyCqZeoAJMVsx1VsSetb8PhUUQdHr4u-Rb4W7Xj-T-u06yT1JqANtHwC",
    ),
    (
        SignMethod::Hs512,
        SECRET,
        "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJ1c2VybmFtZSI6ImFsaWNlIiwicmV2aXNpb24iOjcsImV4cCI6MzI1MDM2ODAwMDAsImlhdCI6MX0.5eYQW6SvWrSYZPskmfCsE6flak-ibDj2nHnFXuYWYp_rjSryJ1Zxnl8D-rQDindioC8wOe3hoWZxcxWmeiyKag",
    ),
];
