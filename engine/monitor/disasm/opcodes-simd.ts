/**
 * MMX, SSE to SSE4.2, AES, PCLMULQDQ, SHA. Prefix `mx`: MMX without 66, XMM with it; `fp`: ps, pd, ss, sd by none, 66, F3, F2; `pp`: ps, pd.
 * Not here: VEX and EVEX (AVX and later), XOP, 3DNow!, MPX: their bytes are shown as .byte.
 */

export const SIMD = `
np.0f10 movups V,W
66.0f10 movupd V,W
f3.0f10 movss V,W
f2.0f10 movsd V,W
np.0f11 movups W,V
66.0f11 movupd W,V
f3.0f11 movss W,V
f2.0f11 movsd W,V
np.0f12:r movhlps V,W
pp.0f12:m movlp V,M
f3.0f12 movsldup V,W
f2.0f12 movddup V,W
pp.0f13:m movlp M,V
pp.0f14 unpcklp V,W
pp.0f15 unpckhp V,W
np.0f16:r movlhps V,W
pp.0f16:m movhp V,M
f3.0f16 movshdup V,W
pp.0f17:m movhp M,V
pp.0f28 movap V,W
pp.0f29 movap W,V
np.0f2a cvtpi2ps V,Q
66.0f2a cvtpi2pd V,Q
f3.0f2a cvtsi2ss~ V,Ey
f2.0f2a cvtsi2sd~ V,Ey
pp.0f2b:m movntp M,V
np.0f2c cvttps2pi P,W
66.0f2c cvttpd2pi P,W
f3.0f2c cvttss2si Gy,W
f2.0f2c cvttsd2si Gy,W
np.0f2d cvtps2pi P,W
66.0f2d cvtpd2pi P,W
f3.0f2d cvtss2si Gy,W
f2.0f2d cvtsd2si Gy,W
pp.0f2e ucomis V,W
pp.0f2f comis V,W
pp.0f50:r movmskp Gd,W
fp.0f51 sqrt V,W
np.0f52 rsqrtps V,W
f3.0f52 rsqrtss V,W
np.0f53 rcpps V,W
f3.0f53 rcpss V,W
pp.0f54 andp V,W
pp.0f55 andnp V,W
pp.0f56 orp V,W
pp.0f57 xorp V,W
fp.0f58 add V,W
fp.0f59 mul V,W
np.0f5a cvtps2pd V,W
66.0f5a cvtpd2ps V,W
f3.0f5a cvtss2sd V,W
f2.0f5a cvtsd2ss V,W
np.0f5b cvtdq2ps V,W
66.0f5b cvtps2dq V,W
f3.0f5b cvttps2dq V,W
fp.0f5c sub V,W
fp.0f5d min V,W
fp.0f5e div V,W
fp.0f5f max V,W
mx.0f60+1 {punpcklbw punpcklwd punpckldq packsswb pcmpgtb pcmpgtw pcmpgtd packuswb punpckhbw punpckhwd punpckhdq packssdw} P,Q
66.0f6c punpcklqdq V,W
66.0f6d punpckhqdq V,W
np.0f6e movd P,Ey
66.0f6e movd V,Ey
np.0f6f movq P,Q
66.0f6f movdqa V,W
f3.0f6f movdqu V,W
np.0f70 pshufw P,Q,Ib
66.0f70 pshufd V,W,Ib
f3.0f70 pshufhw V,W,Ib
f2.0f70 pshuflw V,W,Ib
mx.0f71/*:r {- - psrlw - psraw - psllw} Q,Ib
mx.0f72/*:r {- - psrld - psrad - pslld} Q,Ib
mx.0f73/*:r {- - psrlq - - - psllq} Q,Ib
66.0f73/3:r psrldq W,Ib
66.0f73/7:r pslldq W,Ib
mx.0f74+1 {pcmpeqb pcmpeqw pcmpeqd} P,Q
0f77 emms
66.0f7c haddpd V,W
f2.0f7c haddps V,W
66.0f7d hsubpd V,W
f2.0f7d hsubps V,W
np.0f7e movd Ey,P
66.0f7e movd Ey,V
f3.0f7e movq V,W
np.0f7f movq Q,P
66.0f7f movdqa W,V
f3.0f7f movdqu W,V
fp.0fc2 cmp? V,W,Ib
np.0fc3:m movnti~ M,Gy
mx.0fc4:m pinsrw P,M,Ib
mx.0fc4:r pinsrw P,Ed,Ib
mx.0fc5:r pextrw Gd,Q,Ib
pp.0fc6 shufp V,W,Ib
66.0fd0 addsubpd V,W
f2.0fd0 addsubps V,W
mx.0fd1+1 {psrlw psrld psrlq paddq pmullw} P,Q
66.0fd6 movq W,V
f3.0fd6:r movq2dq V,Q
f2.0fd6:r movdq2q P,W
mx.0fd7:r pmovmskb Gd,Q
mx.0fd8+1 {psubusb psubusw pminub pand paddusb paddusw pmaxub pandn pavgb psraw psrad pavgw pmulhuw pmulhw} P,Q
66.0fe6 cvttpd2dq V,W
f3.0fe6 cvtdq2pd V,W
f2.0fe6 cvtpd2dq V,W
np.0fe7:m movntq M,P
66.0fe7:m movntdq M,V
mx.0fe8+1 {psubsb psubsw pminsw por paddsb paddsw pmaxsw pxor} P,Q
f2.0ff0:m lddqu V,M
mx.0ff1+1 {psllw pslld psllq pmuludq pmaddwd psadbw} P,Q
np.0ff7:r maskmovq P,Q
66.0ff7:r maskmovdqu V,W
mx.0ff8+1 {psubb psubw psubd psubq paddb paddw paddd} P,Q
mx.0f3800+1 {pshufb phaddw phaddd phaddsw pmaddubsw phsubw phsubd phsubsw psignb psignw psignd pmulhrsw} P,Q
66.0f3810 pblendvb V,W
66.0f3814 blendvps V,W
66.0f3815 blendvpd V,W
66.0f3817 ptest V,W
mx.0f381c+1 {pabsb pabsw pabsd} P,Q
66.0f3820+1 {pmovsxbw pmovsxbd pmovsxbq pmovsxwd pmovsxwq pmovsxdq} V,W
66.0f3828 pmuldq V,W
66.0f3829 pcmpeqq V,W
66.0f382a:m movntdqa V,M
66.0f382b packusdw V,W
66.0f3830+1 {pmovzxbw pmovzxbd pmovzxbq pmovzxwd pmovzxwq pmovzxdq - pcmpgtq} V,W
66.0f3838+1 {pminsb pminsd pminuw pminud pmaxsb pmaxsd pmaxuw pmaxud pmulld phminposuw} V,W
np.0f38c8+1 {sha1nexte sha1msg1 sha1msg2} V,W
np.0f38cb sha256rnds2 V,W
np.0f38cc+1 {sha256msg1 sha256msg2} V,W
66.0f38db+1 {aesimc aesenc aesenclast aesdec aesdeclast} V,W
66.0f3a08+1 {roundps roundpd roundss roundsd blendps blendpd pblendw palignr} V,W,Ib
np.0f3a0f palignr P,Q,Ib
66.0f3a14 pextrb Ed,V,Ib
66.0f3a15 pextrw Ed,V,Ib
66.0f3a16 pextr~ Ey,V,Ib
66.0f3a17 extractps Ed,V,Ib
66.0f3a20 pinsrb V,Ed,Ib
66.0f3a21 insertps V,W,Ib
66.0f3a22 pinsr~ V,Ey,Ib
66.0f3a40 dpps V,W,Ib
66.0f3a41 dppd V,W,Ib
66.0f3a42 mpsadbw V,W,Ib
66.0f3a44 pclmulqdq V,W,Ib
66.0f3a60+1 {pcmpestrm pcmpestri pcmpistrm pcmpistri} V,W,Ib
np.0f3acc sha1rnds4 V,W,Ib
66.0f3adf aeskeygenassist V,W,Ib
`;
