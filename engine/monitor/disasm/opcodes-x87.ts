/** x87 (SDM volume 2, appendix A.5). The names of DC E0..FF and DE E0..FF are AT&T's, with FSUB and FSUBR exchanged. */

const ARITHMETIC = '{fadd fmul fcom fcomp fsub fsubr fdiv fdivr}';
const INTEGER = '{fiadd fimul ficom ficomp fisub fisubr fidiv fidivr}';

export const X87 = `
d8/*:m ${ARITHMETIC}s M
d8/*:r ${ARITHMETIC} Fi
d9/*:m {flds - fsts fstps fldenv fldcw fnstenv fnstcw} M
d9/*:r {fld fxch} Fi
d9=d0 fnop
d9=e0+1 {fchs fabs - - ftst fxam - - fld1 fldl2t fldl2e fldpi fldlg2 fldln2 fldz}
d9=f0+1 {f2xm1 fyl2x fptan fpatan fxtract fprem1 fdecstp fincstp fprem fyl2xp1 fsqrt fsincos frndint fscale fsin fcos}
da/*:m ${INTEGER}l M
da=e9 fucompp
da/*:r {fcmovb fcmove fcmovbe fcmovu} F0,Fi
db/*:m {fildl fisttpl fistl fistpl - fldt - fstpt} M
db=e0+1 {feni8087_nop fdisi8087_nop fnclex fninit fsetpm}
db/*:r {fcmovnb fcmovne fcmovnbe fcmovnu} F0,Fi
db/*:r {- - - - - fucomi fcomi} Fi
dc/*:m ${ARITHMETIC}l M
dc/*:r {fadd fmul - - fsub fsubr fdiv fdivr} Fi,F0
dc/*:r {- - fcom fcomp} Fi
dd/*:m {fldl fisttpll fstl fstpl frstor - fnsave fnstsw} M
dd/*:r {ffree fxch fst fstp fucom fucomp} Fi
de/*:m ${INTEGER}s M
de=d9 fcompp
de/*:r {faddp fmulp fcomp - fsubp fsubrp fdivp fdivrp} Fi
df/*:m {filds fisttps fists fistps fbld fildll fbstp fistpll} M
df=e0 fnstsw AX
df/*:r {ffreep fxch fstp fstp - fucomip fcomip} Fi
`;
